// Mouse, pen, fingers and keys.

function listen(app, canvas) {
  const held = new Map();
  let before = null;
  const spread = () => {
    const [a, b] = [...held.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, wide: Math.hypot(a.x - b.x, a.y - b.y) };
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
    before = held.size === 2 ? spread() : null;
    app.remember();
    canvas.focus();
  });
  canvas.addEventListener("pointermove", (event) => {
    const last = held.get(event.pointerId);
    if (!last) return;
    const dx = event.clientX - last.x, dy = event.clientY - last.y, { state } = app;
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
    const side = Math.min(canvas.clientWidth, canvas.clientHeight);
    if (held.size === 2) {
      const now = spread();
      if (before) {
        state.zoom = clamp(state.zoom + Math.log2((now.wide + 1) / (before.wide + 1)), -1.2, 3);
        app.pan(now.x - before.x, now.y - before.y);
      }
      before = now;
    } else if (event.ctrlKey || event.buttons === 4) app.pan(dx, dy);
    else if (app.lamp || event.shiftKey || event.buttons === 2) {
      state.lightYaw = wrapped(state.lightYaw + (180 * dx) / side);
      state.lightPitch = clamp(state.lightPitch + (180 * dy) / side, -90, 90);
    } else {
      state.yaw = wrapped(state.yaw + (150 * dx) / side);
      state.pitch = clamp(state.pitch + (150 * dy) / side, -90, 90);
    }
    app.changed();
  });
  const release = (event) => {
    if (!held.delete(event.pointerId)) return;
    before = null;
    if (!held.size) app.settle();
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    app.remember();
    app.state.zoom = clamp(app.state.zoom - event.deltaY * (event.deltaMode ? 0.05 : 0.0015), -1.2, 3);
    app.settle();
    app.changed();
  }, { passive: false });
  window.addEventListener("keydown", (event) => {
    if (/^(INPUT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "range") return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      event.preventDefault();
      if (event.shiftKey) app.redo(); else app.undo();
      return;
    }
    const onSlider = event.target.type === "range", { state } = app;
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") return;
    const acts = {
      ArrowLeft: () => { state.yaw = wrapped(state.yaw - 5); }, ArrowRight: () => { state.yaw = wrapped(state.yaw + 5); },
      ArrowUp: () => { state.pitch = clamp(state.pitch - 5, -90, 90); }, ArrowDown: () => { state.pitch = clamp(state.pitch + 5, -90, 90); },
      "+": () => { state.zoom = clamp(state.zoom + 0.1, -1.2, 3); }, "=": () => { state.zoom = clamp(state.zoom + 0.1, -1.2, 3); },
      "-": () => { state.zoom = clamp(state.zoom - 0.1, -1.2, 3); },
      l: () => { state.light = after(Object.keys(app.lights), state.light); }, v: () => { state.mode = after(MODES, state.mode); },
      r: () => app.reset(),
    };
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (onSlider && /^Arrow/.test(key)) return;
    if (key === "n") return void app.step(1);
    if (key === "p") return void app.step(-1);
    if (key === "m") return void app.togglePanel();
    if (key === " " && event.target.tagName !== "BUTTON" && event.target.tagName !== "SUMMARY") return void (event.preventDefault(), app.play());
    if (!acts[key]) return;
    event.preventDefault();
    app.remember();
    acts[key]();
    app.settle();
    app.changed();
  });
  let deep = 0;
  const drop = (name, act) => window.addEventListener(name, (event) => { event.preventDefault(); act(event); });
  drop("dragenter", () => { deep++; document.body.classList.add("drop"); });
  drop("dragover", () => {});
  drop("dragleave", () => { if (--deep <= 0) document.body.classList.remove("drop"); });
  drop("drop", (event) => {
    deep = 0;
    document.body.classList.remove("drop");
    const file = event.dataTransfer.files[0];
    if (file) app.open(file); else app.say("nothing was dropped: drop a .glb file");
  });
}

const wrapped = (degrees) => ((((degrees + 180) % 360) + 360) % 360) - 180;
const after = (names, name) => names[(names.indexOf(name) + 1) % names.length];

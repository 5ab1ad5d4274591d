// The controls beside the picture. Every control writes to the app's state and is read back from it by refresh().

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

class Panel {
  constructor(app, root) {
    this.app = app;
    this.root = root;
    this.readers = [];
    this.title = make("h1", {}, "faceuv");
    this.about = make("p", { class: "about" });
    this.faces = make("div", { class: "buttons faces", role: "group", "aria-label": "faces" });
    root.append(this.title, this.faces);
    this.extra = root.appendChild(make("div"));
    this.#expressions();
    this.#light();
    this.#pose();
    this.#show();
    this.#files();
    root.append(this.about);
  }

  section(title, open, parent = this.root) {
    const body = make("div");
    parent.append(make("details", { open }, make("summary", {}, title), body));
    return body;
  }

  slider(parent, label, { low, high, step, get, set, data, unit = "" }) {
    const id = `control-${(Panel.count = (Panel.count || 0) + 1)}`;
    const input = make("input", { type: "range", id, min: low, max: high, step, ...data });
    const shown = make("output", { for: id });
    const row = make("div", { class: "row" }, make("label", { for: id, title: label }, label), input, shown);
    input.addEventListener("input", () => { this.app.remember(); set(Number(input.value)); this.app.changed(); });
    input.addEventListener("change", () => this.app.settle());
    row.addEventListener("dblclick", (event) => { if (event.target !== input) { this.app.remember(); set(0); this.app.settle(); this.app.changed(); } });
    this.readers.push(() => {
      const value = get();
      if (Number(input.value) !== value) input.value = value;
      shown.value = `${+value.toFixed(step < 0.1 ? 2 : 0)}${unit}`;
    });
    parent.append(row);
    return row;
  }

  button(parent, label, act, { pressed, ...attributes } = {}) {
    const button = make("button", { type: "button", ...attributes, onclick: () => { this.app.remember(); act(); this.app.settle(); this.app.changed(); } }, label);
    if (pressed) this.readers.push(() => button.setAttribute("aria-pressed", String(!!pressed())));
    parent.append(button);
    return button;
  }

  #expressions() {
    const { app } = this;
    this.shapes = this.section("Expression", true);
    const presets = this.shapes.appendChild(make("div", { class: "buttons" }));
    for (const [name, amounts] of Object.entries(PRESETS))
      this.button(presets, name, () => app.express(amounts), { "data-preset": name });
    this.sliders = this.shapes.appendChild(make("div"));
  }

  // sliders of the movements that this face has
  shapesOf(names) {
    this.readers = this.readers.filter((reader) => !reader.ofShape);
    this.sliders.textContent = "";
    const { app } = this, left = new Set(names), known = this.readers.length;
    for (const [title, pattern] of GROUPS) {
      const own = names.filter((name) => left.has(name) && pattern.test(name));
      if (!own.length) continue;
      own.forEach((name) => left.delete(name));
      const body = this.section(`${title} (${own.length})`, title === "Mouth" || title === "Jaw", this.sliders);
      for (const name of own)
        this.slider(body, spoken(name), {
          low: 0, high: 1, step: 0.01, get: () => app.state.weights[name] || 0, data: { "data-shape": name },
          set: (value) => { if (value) app.state.weights[name] = value; else delete app.state.weights[name]; },
        });
    }
    this.readers.slice(known).forEach((reader) => { reader.ofShape = true; });
    if (!names.length) this.sliders.append(make("small", {}, "This face has no movements."));
  }

  #light() {
    const { app } = this, body = this.section("Light", true);
    const lights = body.appendChild(make("div", { class: "buttons" }));
    for (const name of Object.keys(app.lights))
      this.button(lights, name, () => Object.assign(app.state, { light: name, lightYaw: 0, lightPitch: 0 }),
        { pressed: () => app.state.light === name, "data-light": name });
    const turns = body.appendChild(make("div", { class: "buttons" }));
    this.button(turns, "move light by dragging", () => { app.lamp = !app.lamp; },
      { pressed: () => app.lamp, title: "or drag with Shift or with the right button" });
    this.slider(body, "light sideways", { low: -180, high: 180, step: 1, unit: "°", data: { "data-state": "lightYaw" },
      get: () => app.state.lightYaw, set: (value) => { app.state.lightYaw = value; } });
    this.slider(body, "light up, down", { low: -90, high: 90, step: 1, unit: "°", data: { "data-state": "lightPitch" },
      get: () => app.state.lightPitch, set: (value) => { app.state.lightPitch = value; } });
    this.slider(body, "brightness", { low: -1, high: 1, step: 0.01, data: { "data-state": "bright" },
      get: () => app.state.bright, set: (value) => { app.state.bright = value; } });
  }

  #pose() {
    const { app } = this, body = this.section("Turn", false);
    for (const [key, label, most] of [["yaw", "sideways", 180], ["pitch", "up, down", 90], ["roll", "tilt", 90]])
      this.slider(body, label, { low: -most, high: most, step: 1, unit: "°", data: { "data-state": key },
        get: () => app.state[key], set: (value) => { app.state[key] = value; } });
    this.slider(body, "zoom", { low: -1.2, high: 3, step: 0.01, data: { "data-state": "zoom" },
      get: () => app.state.zoom, set: (value) => { app.state.zoom = value; } });
    const views = body.appendChild(make("div", { class: "buttons" }));
    for (const [name, yaw] of [["front", 0], ["left", -45], ["right", 45], ["profile", 90]])
      this.button(views, name, () => Object.assign(app.state, { yaw, pitch: 0, roll: 0 }));
  }

  #show() {
    const { app } = this, body = this.section("Show", false);
    const modes = body.appendChild(make("div", { class: "buttons" }));
    for (const name of MODES)
      this.button(modes, name, () => { app.state.mode = name; }, { pressed: () => app.state.mode === name, "data-mode": name });
    const switches = body.appendChild(make("div", { class: "buttons" }));
    for (const [key, label] of [["texture", "albedo map"], ["relief", "relief"], ["gloss", "gloss"], ["layers", "lashes, clear layers"], ["dark", "dark wall"]])
      this.button(switches, label, () => { app.state[key] = !app.state[key]; }, { pressed: () => app.state[key], "data-switch": key });
    body.append(make("small", {}, "Parts"));
    this.parts = body.appendChild(make("div", { class: "buttons" }));
  }

  partsOf(meshes) {
    this.readers = this.readers.filter((reader) => !reader.ofPart);
    const known = this.readers.length, { app } = this;
    this.parts.textContent = "";
    for (const { name } of meshes)
      this.button(this.parts, name.replace(/_/g, " "), () => {
        app.state.hidden = app.state.hidden.includes(name) ? app.state.hidden.filter((one) => one !== name) : [...app.state.hidden, name];
      }, { pressed: () => !app.state.hidden.includes(name), "data-part": name });
    this.readers.slice(known).forEach((reader) => { reader.ofPart = true; });
  }

  #files() {
    const { app } = this, body = this.section("File", false), row = body.appendChild(make("div", { class: "buttons" }));
    const input = make("input", { type: "file", accept: ".glb,model/gltf-binary", onchange: () => { if (input.files.length) app.open(input.files[0]); input.value = ""; } });
    row.append(make("label", { class: "file" }, "open .glb", input));
    row.append(make("button", { type: "button", onclick: () => app.savePicture() }, "save picture"));
    row.append(make("button", { type: "button", onclick: () => app.saveFace(), "data-save": "glb" }, "save .glb"));
    if (location.protocol !== "about:") row.append(make("button", { type: "button", onclick: () => app.link() }, "link to this view"));
    row.append(make("button", { type: "button", onclick: () => app.undo(), "data-undo": true }, "undo"));
    row.append(make("button", { type: "button", onclick: () => app.redo() }, "redo"));
    this.button(row, "reset", () => app.reset(), { "data-reset": true });
    body.append(make("p", { class: "about" }, "Drag turns, Shift + drag moves the light, wheel or pinch zooms, two fingers or Ctrl + drag move. ",
      "Keys: arrows turn, + − zoom, N and P next and previous face, L light, V view, M panel, R reset, Ctrl+Z undo, space plays."));
  }

  pick(entries, current) {
    this.faces.textContent = "";
    if (entries.length < 2) return;
    entries.forEach((entry, k) => {
      const content = entry.picture ? [make("img", { src: entry.picture, alt: entry.name })] : [entry.name];
      this.faces.append(make("button", { type: "button", title: entry.name, "data-face": k, "aria-pressed": String(k === current), onclick: () => this.app.choose(k) }, ...content));
    });
  }

  refresh() {
    for (const reader of this.readers) reader();
  }
}

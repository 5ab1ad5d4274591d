// The viewer: its state, its faces, and what is drawn when something changed.

const FOCAL = 1015 / 256;
const MOST_BYTES = 200e6;
const START = {
  yaw: 0, pitch: 0, roll: 0, zoom: 0, panX: 0, panY: 0, light: "studio", lightYaw: 0, lightPitch: 0, bright: 0,
  mode: "textured", texture: true, relief: true, gloss: true, layers: true, dark: false, hidden: [], weights: {},
};
const copy = (value) => JSON.parse(JSON.stringify(value));

class App {
  constructor(data) {
    this.entries = data.faces;
    this.lights = data.lights;
    this.title = data.title;
    this.state = copy(START);
    this.past = [];
    this.future = [];
    this.lamp = false;
    this.drawn = 0;
    this.canvas = document.querySelector("canvas");
    this.painter = new Painter(this.canvas);
    this.pace = new Pace(this.painter);
    this.panel = new Panel(this, document.querySelector("#panel"));
    document.querySelector("#toggle").addEventListener("click", () => this.togglePanel());
    if (data.bare) this.togglePanel();
    listen(this, this.canvas);
    new ResizeObserver(() => this.changed()).observe(this.canvas);
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => { this.painter = new Painter(this.canvas); this.pace = new Pace(this.painter); this.choose(this.current, this.state); });
  }

  async start() {
    const kept = this.fromLink();
    const current = clamp(kept?.face ?? 0, 0, Math.max(this.entries.length - 1, 0));
    if (this.entries.length) await this.choose(current, kept?.state);
    else { this.panel.shapesOf([]); this.changed(); }
  }

  // ---------------------------------------------------------------- faces

  async #bytes(entry) {
    if (entry.bytes) return entry.bytes;
    const element = document.getElementById(entry.id);
    if (!element) return refuse(`the page holds no data of ${entry.name}: make it again`);
    const text = atob(element.textContent.trim());
    const packed = new Uint8Array(text.length);
    for (let k = 0; k < text.length; k++) packed[k] = text.charCodeAt(k);
    if (packed[0] !== 0x1f) return packed.buffer;
    if (!window.DecompressionStream) return refuse("this browser cannot unpack the face (DecompressionStream): take a browser of 2023 or later");
    return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  }

  async choose(number, state) {
    const entry = this.entries[number];
    try {
      const head = new Head(new GLB(await this.#bytes(entry)));
      await this.painter.load(head);
      this.#shown(head, entry, number, state);
      return true;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.say(`${entry.name}: ${error.message}`);
      return false;
    }
  }

  #shown(head, entry, number, state) {
    const keep = this.head ? { ...this.state, hidden: [] } : { ...copy(START), ...copy(entry.view || {}) };
    this.head = head;
    this.current = number;
    this.entry = entry;
    this.frame = entry.frame || framed(head);
    if (entry.light) this.lights.own = entry.light;
    this.start_ = { ...copy(START), ...copy(entry.view || {}), weights: { ...head.weights } };
    this.state = { ...keep, weights: { ...head.weights }, ...(state ? copy(state) : {}) };
    if (!this.lights[this.state.light]) this.state.light = "studio";
    if (!entry.keeps) this.past.length = this.future.length = 0;
    this.panel.title.textContent = this.titled(entry);
    this.panel.about.textContent = aboutOf(entry, head);
    this.panel.shapesOf(head.names);
    this.panel.partsOf(this.painter.meshes);
    this.panel.pick(this.entries, number);
    document.title = this.panel.title.textContent;
    this.quiet();
    this.changed();
  }

  titled(entry) {
    return this.entries.length > 1 ? `${this.title}: ${entry.name}` : this.title || entry.name;
  }

  step(by) {
    if (this.entries.length > 1) return this.choose((this.current + by + this.entries.length) % this.entries.length);
    return false;
  }

  async open(file) {
    if (this.takes?.(file)) return;
    if (!/\.glb$/i.test(file.name)) return this.say(`${file.name}: expected a .glb file; export the mesh as binary glTF`);
    if (file.size > MOST_BYTES) return this.say(`${file.name} has ${Math.round(file.size / 1e6)} MB; at most ${MOST_BYTES / 1e6} MB are read`);
    return this.add({ name: file.name.replace(/\.glb$/i, ""), bytes: await file.arrayBuffer() });
  }

  // another face; one that cannot be read leaves everything as it was
  async add(entry, state) {
    this.entries.push(entry);
    const shown = await this.choose(this.entries.length - 1, state);
    if (!shown) this.entries.pop();
    return shown;
  }

  express(amounts) {
    const known = Object.entries(amounts).filter(([name]) => this.head.names.includes(name));
    this.state.weights = Object.fromEntries(known);
  }

  // ---------------------------------------------------------------- states

  // what was, before a change: one step of undo lasts until settle()
  remember() {
    this.before ??= copy(this.state);
  }

  settle() {
    if (this.before && JSON.stringify(this.before) !== JSON.stringify(this.state)) {
      this.past.push(this.before);
      if (this.past.length > 100) this.past.shift();
      this.future.length = 0;
    }
    this.before = null;
    this.settled?.();
  }

  undo() { this.#back(this.past, this.future); }
  redo() { this.#back(this.future, this.past); }

  #back(from, to) {
    if (!from.length) return;
    to.push(copy(this.state));
    this.state = from.pop();
    this.changed();
    this.settled?.();
  }

  reset() {
    this.state = copy(this.start_ || START);
  }

  pan(dx, dy) {
    this.state.panX += dx / this.canvas.clientWidth * 2;
    this.state.panY -= dy / this.canvas.clientHeight * 2;
  }

  encoded() {
    const changes = {};
    for (const [key, value] of Object.entries(this.state)) if (JSON.stringify(value) !== JSON.stringify(START[key])) changes[key] = value;
    return encodeURIComponent(JSON.stringify({ face: this.current, state: changes }));
  }

  fromLink() {
    const match = /^#view=(.*)$/.exec(location.hash);
    if (!match) return null;
    try {
      const { face, state } = JSON.parse(decodeURIComponent(match[1]));
      return { face: Number.isInteger(face) ? face : 0, state: checkedState(state) };
    } catch {
      this.say("the link's view cannot be read and is left out");
      return null;
    }
  }

  link() {
    location.hash = `view=${this.encoded()}`;
    navigator.clipboard?.writeText(location.href).then(() => this.note("the link is in the clipboard"), () => this.note("the link is in the address bar"));
  }

  // ---------------------------------------------------------------- drawing

  // Draws with the next frame of the screen, after what is being drawn; the whole picture follows when nothing moves any more.
  changed() {
    this.fine = false;
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => { if (this.pace.busy) this.pace.then = () => this.#move(); else this.#move(); });
  }

  #move() {
    this.asked = 0;
    const { share } = this.pace;
    this.draw(0, share);
    clearTimeout(this.rest);
    if (share < 1) this.#finish();
  }

  #finish() {
    this.rest = setTimeout(() => {
      if (this.pace.busy) this.#finish(); else if (!this.asked) this.draw();
    }, this.before ? 4 * REST : REST);
  }

  view() {
    const { state, frame } = this, turned = turnMatrix(state.yaw, state.pitch, state.roll);
    const light = lightForm(this.lights[state.light]), level = 2 ** state.bright;
    for (const key of ["quadratic", "linear", "constant", "colour"]) light[key] = light[key].map((value) => value * level);
    const { yaw, pitch, roll } = this.start_ || START;
    return {
      ...frame, turn: turned, seen: turnMatrix(yaw, pitch, roll), zoom: 2 ** state.zoom, shift: [state.panX, state.panY], light, lampTurn: transposed3(turnMatrix(state.lightYaw, state.lightPitch, 0)),
      mode: state.mode, texture: state.texture, relief: state.relief, gloss: state.gloss, layers: state.layers,
      background: this.wall(),
    };
  }

  wall() { return this.state.dark ? [0.11, 0.12, 0.14] : [0.86, 0.87, 0.89]; }

  draw(side, share = 1) {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight].map((length) => side || Math.max(1, Math.round(length * ratio * share)));
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    document.body.classList.toggle("dark", this.state.dark);
    this.canvas.classList.toggle("lamp", this.lamp);
    if (this.head) {
      this.head.set(this.state.weights);
      for (const mesh of this.painter.meshes) mesh.shown = !this.state.hidden.includes(mesh.name);
      this.painter.update();
    }
    const sure = this.painter.draw(this.head ? this.view() : { background: this.wall() }, share);
    this.pace.begin(share, sure && !!this.head);  // an empty picture tells nothing
    this.panel.refresh();
    this.fine = share === 1;
    this.drawn++;
  }

  // the picture at a side in pixels (square), or as it is on the screen: a PNG as a data address
  picture(side) {
    this.draw(side);
    const data = this.canvas.toDataURL("image/png");
    if (side) this.draw();
    return data;
  }

  play() {
    this.playing = !this.playing;
    if (!this.playing) return;
    const clip = this.head && clipOf(this.head), from = performance.now(), yaw = this.state.yaw;
    const tick = (now) => {
      if (!this.playing) return;
      const seconds = (now - from) / 1000;
      if (clip) clip.at(seconds, this); else this.state.yaw = wrapped(yaw + 40 * Math.sin((2 * Math.PI * seconds) / 6));
      this.changed();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  // ---------------------------------------------------------------- files and words

  download(name, url) {
    make("a", { href: url, download: name }).click();
  }

  savePicture() {
    this.download(`${this.entry?.name || "face"}.png`, this.picture());
  }

  async saveFace() {
    const url = URL.createObjectURL(new Blob([await this.#bytes(this.entry)], { type: "model/gltf-binary" }));
    this.download(`${this.entry.name}.glb`, url);
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }

  togglePanel() {
    const panel = document.querySelector("#panel");
    panel.hidden = !panel.hidden;
    document.querySelector("#toggle").setAttribute("aria-expanded", String(!panel.hidden));
    this.changed();
  }

  say(text, kind = "") {
    const box = document.querySelector("#say");
    box.textContent = text;
    box.className = kind;
    box.style.display = "block";
    clearTimeout(this.timer);
    if (kind) this.timer = setTimeout(() => this.quiet(), 4000);
  }

  note(text) { this.say(text, "note"); }
  quiet() { document.querySelector("#say").style.display = "none"; }
}

// the head in the middle of the picture, crown to shoulders, as faceuv's centred pictures have it; decimetres
function framed(head) {
  const { low, high } = head, middle = [0, 1, 2].map((r) => (low[r] + high[r]) / 2);
  const half = [0, 1, 2].map((r) => 5 * (high[r] - low[r]));
  const radius = Math.max(half[0], half[2]) || half[1] || 1, reach = Math.max(half[1], radius);
  return { middle, distance: Math.max((FOCAL * reach) / 0.45, (FOCAL * half[1]) / 0.475 + radius), reach, focal: FOCAL };
}

function aboutOf(entry, head) {
  const facts = Object.entries(head.metadata).filter(([, value]) => typeof value === "string" || typeof value === "number");
  const licences = head.licences.map((one) => `${one.part} ${one.name}: ${one.licence}`);
  return [...facts.map(([key, value]) => `${key.replace(/_/g, " ")} ${value}`), ...licences].join(" · ");
}

// of a state from outside only what has the type of what it replaces
function checkedState(given) {
  const kept = {};
  for (const [key, value] of Object.entries(given || {})) {
    const own = START[key];
    if (typeof own === "number" && Number.isFinite(value)) kept[key] = clamp(value, -1000, 1000);
    else if (typeof own === typeof value && typeof own !== "object" && typeof own !== "number") kept[key] = value;
    else if (/^(who|pins)$/.test(key) && own && value && typeof value === "object") kept[key] = value;
    else if (key === "hidden" && Array.isArray(value)) kept[key] = value.map(String);
    else if (key === "weights" && value && typeof value === "object")
      kept[key] = Object.fromEntries(Object.entries(value).filter(([, amount]) => Number.isFinite(amount)).map(([name, amount]) => [name, clamp(amount, 0, 1)]));
  }
  if (kept.mode && !MODES.includes(kept.mode)) delete kept.mode;
  if (kept.zoom !== undefined) kept.zoom = clamp(kept.zoom, -1.2, 3);
  return kept;
}

// the first animation of the file as a function of time: weights and turns of joints, in a loop
function clipOf(head) {
  const { glb } = head, animation = glb.json.animations?.[0];
  if (!animation?.channels?.length) return null;
  const tracks = animation.channels.map(({ sampler, target }) => {
    const { input, output } = animation.samplers[sampler];
    return { times: glb.floats(input, "an animation").data, values: glb.floats(output, "an animation").data, target };
  });
  const end = Math.max(...tracks.map(({ times }) => times[times.length - 1] || 0), 1e-3);
  return {
    at(seconds, app) {
      const now = seconds % end;
      for (const { times, values, target } of tracks) {
        const wide = values.length / times.length;
        let k = 0;
        while (k + 2 < times.length && times[k + 1] <= now) k++;
        const next = Math.min(k + 1, times.length - 1), t = clamp((now - times[k]) / (times[next] - times[k] || 1), 0, 1);
        const row = Array.from({ length: wide }, (_, j) => (1 - t) * values[k * wide + j] + t * values[next * wide + j]);
        if (target.path === "weights") head.animated.names.forEach((name, j) => { app.state.weights[name] = clamp(row[j] || 0, 0, 1); });
        else if (target.path === "rotation" && head.parents[target.node] !== undefined) {
          const length = Math.hypot(...row) || 1;
          if (!Object.values(head.looks).some(({ node }) => node === target.node)) head.turned[target.node] = row.map((value) => value / length);
        }
      }
    },
  };
}

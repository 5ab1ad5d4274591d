// The studio's panels: who is shown, codes, photographs, methods side by side, files, recordings. Who is shown is a part of the
// viewer's state, so that undo and links hold it.

const STYLE = `#methods { position: absolute; left: 0; right: 0; bottom: 0; display: flex; gap: 8px; padding: 8px; overflow-x: auto; background: #f7f8fae6; border-top: 1px solid #c6cad1; }
#methods[hidden] { display: none; } #stage:has(#methods:not([hidden])) canvas { height: calc(100% - 196px); }
 #methods figure { margin: 0; flex: 0 0 auto; width: 150px; } #methods img { display: block; width: 150px; height: 150px; border-radius: 6px; }
#methods figcaption { font-size: 12px; color: #3a3f47; padding-top: 3px; } #say { z-index: 3; } #panel input[type="number"] { font: inherit; padding: 3px 6px; border: 1px solid #b7bcc6; border-radius: 6px; }
.row select { grid-column: 2 / 4; padding: 2px 4px; }`;

const pageName = Array.from(crypto.getRandomValues(new Uint8Array(18)), (byte) => byte.toString(16).padStart(2, "0")).join("");
const PHOTO_BYTES = 25e6;
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

class StudioError extends Error {}

class Panels {
  constructor(app, about) {
    Object.assign(this, { app, about, shown: null, asked: 0 });
    app.panel.title.textContent = about.title;
    app.titled = (entry) => (entry.keeps ? shows(app.state.who, about.title) : entry.name);
    app.settled = () => this.refresh();
    app.takes = (file) => this.takes(file);
    app.step = (by) => this.next(by);
    document.head.append(make("style", {}, STYLE));
    document.querySelector("#stage").dataset.drop = "drop a photograph or a .glb file";
    this.tools = make("div");
    app.panel.about.before(this.tools);
    this.#who();
    if (about.seeds) this.#gallery();
    if (Object.keys(about.directions || {}).length) this.#edits();
    if (about.seeds) this.#pairs();
    this.#photograph();
    if (about.methods) this.#methods();
    this.#files();
  }

  get who() { return this.app.state.who; }
  get seed() { return this.who.form === "seed" ? this.who : { form: "seed", seed: 0 }; }

  person(changes) {
    this.app.state.who = { ...this.seed, ...changes };
  }

  // another seed; traits and hair that were chosen stay
  step(by) {
    this.person({ seed: Math.max((this.seed.seed || 0) + by, 0) });
  }

  next(by) {
    this.app.remember();
    this.step(by);
    this.app.settle();
  }

  choice(parent, label, { first, words, get, set, data }) {
    const select = make("select", { ...data, "aria-label": label }, make("option", { value: "" }, first), ...words.map((word) => make("option", { value: word }, word)));
    select.addEventListener("change", () => { this.app.remember(); set(select.value); this.app.settle(); this.app.changed(); });
    this.app.panel.readers.push(() => { if (select.value !== get()) select.value = get(); });
    parent.append(make("div", { class: "row" }, make("label", {}, label), select));
  }

  // ---------------------------------------------------------------- asking

  async ask(path, body, kind = "application/json") {
    let answer;
    try {
      answer = await fetch(path, { method: "POST", headers: { "Content-Type": kind, "X-Faceuv-Page": pageName }, body: kind === "application/json" ? JSON.stringify(body) : body });
    } catch {
      this.wait();
      throw new StudioError("the studio does not answer: it was stopped. Start it again; this page goes on when it is back");
    }
    if (answer.ok) return answer;
    const text = await answer.text();
    let told = `the studio answered ${answer.status}`;
    if (text.startsWith("{")) told = JSON.parse(text).error;
    throw new StudioError(told);
  }

  // until the server is back
  wait() {
    this.gone ??= setInterval(async () => {
      const back = await fetch("/", { cache: "no-store" }).then((answer) => answer.ok, () => false);
      if (!back) return;
      clearInterval(this.gone);
      this.gone = null;
      this.app.note("the studio is back");
      this.refresh();
    }, 1000);
  }

  async telling(act, words) {
    if (words) this.app.note(words);
    try {
      const result = await act();
      if (words) this.app.quiet();
      return result;
    } catch (error) {
      if (!(error instanceof StudioError)) throw error;
      this.app.say(error.message);
      return undefined;
    }
  }

  // the face of the state, if it is not there yet; of several wishes the last counts
  async refresh(first) {
    const { app } = this;
    if (!first) this.compare();
    if (same(app.state.who, this.shown)) return;
    const who = copy(app.state.who), number = ++this.asked;
    const answer = await this.telling(async () => (await this.ask("/face", { who })).arrayBuffer(), first ? "" : "making the face …");
    if (!answer) {
      if (this.shown && !this.gone) app.state.who = copy(this.shown);
      app.changed();
      return;
    }
    if (number !== this.asked) return;
    const length = new DataView(answer).getUint32(0, true);
    const entry = JSON.parse(new TextDecoder().decode(new Uint8Array(answer, 4, length)));
    const own = app.head && app.start_.weights;
    const state = first ? { ...entry.view, ...first, who } : { ...app.state, who };
    if (!first && (same(state.weights, own) || !Object.keys(state.weights).length)) delete state.weights;
    app.entries = [{ ...entry, bytes: answer.slice(4 + length), keeps: true }];
    this.shown = who;
    await app.choose(0, state);
    this.there = who;
    app.start_.who = who;
  }

  // ---------------------------------------------------------------- panels

  #who() {
    const { app, about } = this, { panel } = app, body = panel.section("Who", true, panel.extra);
    if (!about.seeds) return void body.append(make("small", {}, "One saved face. Start the studio without a source for random people."));
    const row = body.appendChild(make("div", { class: "buttons" }));
    const seed = make("input", { type: "number", min: 0, step: 1, style: "width:84px", "aria-label": "seed", "data-who": "seed" });
    seed.addEventListener("change", () => { app.remember(); this.person({ seed: Math.max(Math.trunc(Number(seed.value)) || 0, 0) }); app.settle(); });
    panel.readers.push(() => { if (document.activeElement !== seed) seed.value = this.seed.seed || 0; });
    panel.button(row, "‹", () => this.step(-1), { "data-who": "previous", "aria-label": "previous person", title: "previous person (P)" });
    row.append(seed);
    panel.button(row, "›", () => this.step(1), { "data-who": "next", "aria-label": "next person", title: "next person (N)" });
    panel.button(row, "random person", () => this.person({ seed: Math.floor(Math.random() * 1e6) }), { "data-who": "random" });
    if (about.truncation)
      panel.slider(body, "truncation", { low: 0, high: 1.2, step: 0.01, data: { "data-who": "truncation" }, get: () => this.seed.truncation ?? 1, set: (value) => this.person({ truncation: value }) });
    const traits = Object.entries(about.traits || {});
    for (const [name, trait] of traits) {
      const get = () => this.seed.traits?.[name], set = (value) => this.person({ traits: { ...this.seed.traits, [name]: value } });
      if (trait.words) {
        const buttons = body.appendChild(make("div", { class: "buttons" }));
        for (const word of trait.words) panel.button(buttons, word, () => set(word), { pressed: () => get() === word, "data-trait": word });
      } else panel.slider(body, trait.label || name, { ...trait, data: { "data-trait": name }, get: () => get() ?? app.entry?.traits?.[name] ?? trait.start, set });
    }
    if (about.hair) {
      const dress = (changes) => { app.state.who = { ...this.who, ...changes }; };
      this.choice(body, "hair", { first: "as suits the person", words: about.hair, data: { "data-who": "hair" }, get: () => this.who.hair || "", set: (hair) => dress({ hair }) });
      this.choice(body, "hair colour", { first: "as the brows", words: about.hair_colours, data: { "data-who": "hair_colour" }, get: () => this.who.hair_colour || "", set: (hair_colour) => dress({ hair_colour }) });
    }
    if (traits.length) panel.button(body.appendChild(make("div", { class: "buttons" })), "forget these choices", () => { this.app.state.who = { form: "seed", seed: this.seed.seed }; }, { "data-who": "free" });
  }

  #edits() {
    const { app, about } = this, body = app.panel.section("Edit the code", false, app.panel.extra);
    for (const [name, meaning] of Object.entries(about.directions)) {
      const set = (value) => { app.state.who = { ...this.who, edits: { ...this.who.edits, [name]: value } }; };
      app.panel.slider(body, meaning || name, { low: -4, high: 4, step: 0.1, unit: "σ", data: { "data-edit": name }, get: () => this.who.edits?.[name] || 0, set });
    }
  }

  #pairs() {
    const { app, about } = this, { panel } = app, body = panel.section("Between two people", false, panel.extra);
    const row = body.appendChild(make("div", { class: "buttons" }));
    for (const key of ["a", "b"]) {
      const button = panel.button(row, "", () => { app.state.pins = { ...app.state.pins, [key]: copy(this.who) }; },
        { pressed: () => !!app.state.pins[key], "data-pin": key });
      panel.readers.push(() => { button.textContent = app.state.pins[key] ? `${key.toUpperCase()}: ${called(app.state.pins[key])}` : `take this one as ${key.toUpperCase()}`; });
    }
    const pair = () => (app.state.pins.a && app.state.pins.b ? [app.state.pins.a, app.state.pins.b] : null);
    const set = (changes) => { if (pair()) app.state.who = { pair: copy(pair()), ...changes }; else app.note("take two people first: A and B"); };
    panel.slider(body, "from A to B", { low: 0, high: 1, step: 0.01, data: { "data-who": "t" }, get: () => (this.who.form === "between" ? this.who.t : 0.5), set: (t) => set({ form: "between", t }) });
    if (about.mixing)
      panel.slider(body, "style of B from row", { low: 0, high: about.layers, step: 1, data: { "data-who": "layer" }, get: () => (this.who.form === "mix" ? this.who.layer : about.layers), set: (layer) => set({ form: "mix", layer }) });
  }

  #gallery() {
    const { app } = this, body = app.panel.section("Gallery", false, app.panel.extra);
    const pictures = make("div", { class: "buttons faces" });
    body.append(make("button", { type: "button", "data-gallery": true, onclick: () => this.telling(async () => {
      const found = await (await this.ask("/gallery", { who: this.seed })).json();
      pictures.textContent = "";
      for (const { seed, picture } of found)
        app.panel.button(pictures, make("img", { src: picture, alt: `seed ${seed}` }), () => this.person({ seed }), { title: `seed ${seed}`, "data-seed": seed });
    }, "drawing twelve faces …") }, `the next ${this.about.gallery}`), pictures);
  }

  #photograph() {
    const { app } = this, body = app.panel.section("From a photograph", false, app.panel.extra);
    const input = make("input", { type: "file", accept: "image/jpeg,image/png,image/webp", "data-photo": true, onchange: () => { if (input.files.length) this.takes(input.files[0]); input.value = ""; } });
    body.append(make("label", { class: "file" }, "choose a photograph", input), make("p", { class: "about" }, "or drop one on the face. It goes to the studio's computer, stays in its memory for this page alone, and is forgotten when the studio ends."));
  }

  takes(file) {
    if (!/^image\//.test(file.type) && !/\.(jpe?g|png|webp)$/i.test(file.name)) return false;
    if (file.size > PHOTO_BYTES) {
      this.app.say(`${file.name} has ${Math.round(file.size / 1e6)} MB; at most ${PHOTO_BYTES / 1e6} MB are read`);
      return true;
    }
    this.telling(async () => {
      const { photo } = await (await this.ask("/photograph", await file.arrayBuffer(), "application/octet-stream")).json();
      this.app.remember();
      this.app.state.who = { form: "photo", photo };
      this.app.settle();
    }, "reading the photograph …");
    return true;
  }

  // pictures of this code along the lower edge; they follow the person and the yaw until they are put away
  #methods() {
    const { app } = this, body = app.panel.section("Compare methods", false, this.tools);
    this.strip = document.querySelector("#stage").appendChild(make("div", { id: "methods", hidden: true }));
    const button = app.panel.button(body, "", () => { this.strip.hidden = !this.strip.hidden; this.compared = null; }, { pressed: () => !this.strip.hidden, "data-methods": true });
    app.panel.readers.push(() => { button.textContent = this.strip.hidden ? "show all methods" : "put them away"; });
    body.append(make("p", { class: "about" }, "The same code at this yaw: the teacher's picture, the code turned in 2D, the linear model, and each generator. faceuv studio … --compare NAME adds generators."));
  }

  async compare() {
    if (!this.strip || this.strip.hidden) return;
    const wish = { who: copy(this.who), yaw: Math.round(this.app.state.yaw) };
    if (same(wish, this.compared)) return;
    this.compared = wish;
    const found = await this.telling(async () => (await this.ask("/methods", wish)).json(), "drawing …");
    if (!same(wish, this.compared)) return;
    this.strip.textContent = "";
    for (const { name, picture } of found || []) this.strip.append(make("figure", {}, make("img", { src: picture, alt: name }), make("figcaption", {}, name)));
  }

  look() {
    const { state } = this.app;
    return { weights: state.weights, yaw: state.yaw, pitch: state.pitch, roll: state.roll, light: this.app.lights[state.light] };
  }

  #files() {
    const { app, about } = this, body = app.panel.section("Export and record", false, this.tools), row = body.appendChild(make("div", { class: "buttons" }));
    for (const kind of about.exports)
      row.append(make("button", { type: "button", "data-export": kind, onclick: () => this.save(kind) }, kind === "gif" ? "turntable .gif" : `.${kind}`));
    const record = make("button", { type: "button", "data-record": true, "aria-pressed": "false", onclick: () => this.record(record) }, "record the expression");
    body.append(record);
  }

  save(kind, animation) {
    if (!this.app.entry.keeps) return this.app.say("this file was dropped, and the studio's exports are of its own people: File saves it and its picture");
    return this.telling(async () => {
      const blob = await (await this.ask("/export", { who: this.who, look: this.look(), kind, animation })).blob();
      const url = URL.createObjectURL(blob);
      this.saved = { kind, size: blob.size };
      this.app.download(`${this.app.entry.name}${animation ? "_moving" : ""}.${kind === "obj" ? "zip" : kind}`, url);
      setTimeout(() => URL.revokeObjectURL(url), 10000);
    }, `writing the .${kind} …`);
  }

  // samples the sliders thirty times a second until it is pressed again; the file plays what they did
  record(button) {
    if (this.tape) {
      clearInterval(this.tape.timer);
      const { times, weights } = this.tape;
      this.tape = null;
      button.setAttribute("aria-pressed", "false");
      button.textContent = "record the expression";
      return this.save("glb", { times, weights });
    }
    const start = performance.now(), tape = (this.tape = { times: [], weights: [] });
    tape.timer = setInterval(() => {
      tape.times.push((performance.now() - start) / 1000);
      tape.weights.push({ ...this.app.state.weights });
      if (tape.times.length >= 1800) this.record(button);
    }, 1000 / 30);
    button.setAttribute("aria-pressed", "true");
    button.textContent = "stop and save .glb";
    return undefined;
  }
}

const called = (who) => (who.form === "seed" ? `seed ${who.seed}` : who.form === "photo" ? "a photograph" : who.form === "mix" ? "a mix" : "between");
const ofPhotos = (who) => who.form === "photo" || (who.pair || []).some(ofPhotos);
const shows = (who, people) => (who.form === "photo" ? "a head from a photograph" : ofPhotos(who) ? `between ${who.pair.map(called).join(" and ")}` : people);

window.studio = {
  before(data) {
    const { seed, truncation } = data.studio.first;
    START.who = { form: "seed", seed, ...(data.studio.truncation ? { truncation } : {}) };
    START.pins = {};
    this.about = data.studio;
  },
  async run(app) {
    this.panels = new Panels(app, this.about);
    const kept = app.fromLink();
    if (kept?.state.who) app.state.who = kept.state.who;
    await this.panels.refresh(kept?.state || {});
    app.panel.refresh();
  },
};

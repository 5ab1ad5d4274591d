// Draws a Head with WebGL2. Holds all buffers and textures, so that it can free them.

const MODES = ["textured", "albedo", "shape", "normals", "relief", "wireframe", "uv", "seen"];
const SEEN_SIDE = 1024;  // of the depth picture that tells what is seen
const UNMOVED = identity4();
const encoded = (value) => (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055);

class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext("webgl2", { antialias: false, alpha: false, preserveDrawingBuffer: false });
    if (!this.gl) throw new FileError("this browser has no WebGL2, which the viewer needs: take a current Firefox, Chrome, Edge or Safari with graphics acceleration");
    const gl = this.gl;
    this.live = 0;
    this.program = this.#program(VERTEX, FRAGMENT);
    this.lines = this.#program(VERTEX, LINE_FRAGMENT);
    this.depths = null;
    this.software = inSoftware(gl);
    this.anisotropy = gl.getExtension("EXT_texture_filter_anisotropic");
    this.whole = new Target(gl);
    this.coarse = new Target(gl);
    this.strands = new Strands(gl);
    this.meshes = [];
    this.textures = [];
  }

  #program(vertex, fragment) {
    const gl = this.gl, program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(`a shader: ${gl.getShaderInfoLog(shader)}`);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(`a shader: ${gl.getProgramInfoLog(program)}`);
    const places = {};
    for (let k = 0; k < gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS); k++) {
      const name = gl.getActiveUniform(program, k).name.replace("[0]", "");
      places[name] = gl.getUniformLocation(program, name);
    }
    return { program, places };
  }

  #buffer(target, data, usage) {
    const gl = this.gl, buffer = gl.createBuffer();
    this.live++;
    gl.bindBuffer(target, buffer);
    gl.bufferData(target, data, usage ?? gl.STATIC_DRAW);
    return buffer;
  }

  async load(head) {
    const gl = this.gl, glb = head.glb, pictures = new Map();
    const wanted = new Map();
    const texture = (info) => {
      if (!info) return null;
      const entry = glb.entry("textures", info.index, "a material");
      const key = `${entry.source},${entry.sampler}`;
      if (!wanted.has(key)) wanted.set(key, entry);
      return key;
    };
    const looks = head.parts.map(({ material }) => ({
      albedo: texture(material.pbrMetallicRoughness?.baseColorTexture), normal: texture(material.normalTexture),
      rough: texture(material.pbrMetallicRoughness?.metallicRoughnessTexture),
    }));
    const bitmaps = await Promise.all([...wanted].map(async ([key, entry]) => [key, entry, await glb.image(entry.source)]));
    this.free();
    for (const [key, entry, bitmap] of bitmaps) {
      pictures.set(key, this.#texture(bitmap, glb.json.samplers?.[entry.sampler]));
      bitmap.close();
    }
    this.head = head;
    head.parts.forEach((part, k) => {
      const look = looks[k];
      this.meshes.push(this.#mesh(part, { albedo: pictures.get(look.albedo), normal: pictures.get(look.normal), rough: pictures.get(look.rough) }));
    });
  }

  #texture(bitmap, sampler = {}) {
    const gl = this.gl, texture = gl.createTexture();
    this.live++;
    this.textures.push(texture);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    gl.generateMipmap(gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, sampler.wrapS || gl.REPEAT);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, sampler.wrapT || gl.REPEAT);
    return texture;
  }

  // how sharp textures are where they are seen from the side
  #sharp(level) {
    const { gl, anisotropy } = this;
    if (!anisotropy || level === this.sharpness) return;
    this.sharpness = level;
    for (const texture of this.textures) {
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texParameterf(gl.TEXTURE_2D, anisotropy.TEXTURE_MAX_ANISOTROPY_EXT, level);
    }
    gl.bindTexture(gl.TEXTURE_2D, null);
  }

  #mesh(part, textures) {
    const gl = this.gl, array = gl.createVertexArray(), buffers = [];
    this.live++;
    gl.bindVertexArray(array);
    const attribute = (place, data, width, usage) => {
      if (!data) return null;
      const buffer = this.#buffer(gl.ARRAY_BUFFER, data, usage);
      buffers.push(buffer);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, width, gl.FLOAT, false, 0, 0);
      return buffer;
    };
    const moved = attribute(0, part.moved, 3, gl.DYNAMIC_DRAW), bent = attribute(1, part.bent, 3, gl.DYNAMIC_DRAW);
    attribute(2, part.tangent, 4);
    attribute(3, part.uv, 2);
    let colour = part.colour;
    if (colour) {  // linear in files; opacity stays
      colour = new Float32Array(4 * part.count).fill(1);
      for (let k = 0; k < part.count; k++)
        for (let r = 0; r < part.colourWidth; r++) {
          const value = part.colour[k * part.colourWidth + r];
          colour[4 * k + r] = r < 3 ? encoded(value) : value;
        }
    }
    attribute(4, colour, 4);
    attribute(5, part.joint, 4);
    attribute(6, part.weight, 4);
    const index = this.#buffer(gl.ELEMENT_ARRAY_BUFFER, part.indices);
    buffers.push(index);
    gl.bindVertexArray(null);
    const material = part.material, surface = material.pbrMetallicRoughness || {}, coat = material.extensions?.KHR_materials_clearcoat;
    const [r, g, b, a] = surface.baseColorFactor || [1, 1, 1, 1];
    return {
      part, array, buffers, index, moved, bent, textures, shown: true, name: nameOf(material, this.head.glb.json),
      factor: [encoded(r), encoded(g), encoded(b), a], blend: material.alphaMode === "BLEND",
      cutoff: material.alphaMode === "MASK" ? (material.alphaCutoff ?? 0.5) : -1, twoSided: !!material.doubleSided,
      gloss: [surface.roughnessFactor ?? 1, coat?.clearcoatFactor || 0, coat?.clearcoatRoughnessFactor || 0],
      skin: /skin|surface|cap/.test(String(material.name || "surface")),
    };
  }

  // vertices that moved go to the graphics card
  update() {
    const gl = this.gl;
    for (const { part, moved, bent } of this.meshes) {
      if (!part.changed) continue;
      part.changed = false;
      gl.bindBuffer(gl.ARRAY_BUFFER, moved);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, part.moved);
      gl.bindBuffer(gl.ARRAY_BUFFER, bent);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, part.bent);
    }
  }

  #wires(mesh) {
    if (mesh.wires) return mesh.wires;
    const { indices } = mesh.part, lines = [];
    const seen = new Set();
    for (let f = 0; f < indices.length; f += 3)
      for (let e = 0; e < 3; e++) {
        const [a, b] = [indices[f + e], indices[f + ((e + 1) % 3)]];
        const key = Math.min(a, b) * 4194304 + Math.max(a, b);
        if (!seen.has(key)) seen.add(key), lines.push(a, b);
      }
    const buffer = this.#buffer(this.gl.ELEMENT_ARRAY_BUFFER, Uint32Array.from(lines));
    mesh.buffers.push(buffer);
    return (mesh.wires = { buffer, count: lines.length });
  }

  #camera(places, view, turn, width, height, zoom, shift) {
    const gl = this.gl, side = Math.min(width, height), focal = 2 * view.focal * zoom;
    gl.uniformMatrix3fv(places.turn, true, turn);
    gl.uniform3fv(places.middle, view.middle);
    gl.uniform3f(places.lens, (focal * side) / width, (focal * side) / height, view.distance);
    gl.uniform2fv(places.shift, shift);
    gl.uniform2f(places.range, Math.max(view.distance - 2 * view.reach, 0.02 * view.distance), view.distance + 2 * view.reach);
  }

  // depths of the face as it is seen in its own picture: what lies behind them was not seen there
  #depths(view) {
    const gl = this.gl;
    if (!this.depths) {
      this.depths = { texture: gl.createTexture(), frame: gl.createFramebuffer() };
      this.live += 2;
      gl.bindTexture(gl.TEXTURE_2D, this.depths.texture);
      gl.texStorage2D(gl.TEXTURE_2D, 1, gl.DEPTH_COMPONENT24, SEEN_SIDE, SEEN_SIDE);
      for (const key of ["MIN_FILTER", "MAG_FILTER"]) gl.texParameteri(gl.TEXTURE_2D, gl[`TEXTURE_${key}`], gl.NEAREST);
      gl.bindFramebuffer(gl.FRAMEBUFFER, this.depths.frame);
      gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.TEXTURE_2D, this.depths.texture, 0);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.depths.frame);
    gl.viewport(0, 0, SEEN_SIDE, SEEN_SIDE);
    gl.clear(gl.DEPTH_BUFFER_BIT);
    const { program, places } = this.lines;
    gl.useProgram(program);
    this.#camera(places, view, view.seen, SEEN_SIDE, SEEN_SIDE, 1, [0, 0]);
    gl.disable(gl.BLEND);
    gl.disable(gl.CULL_FACE);
    for (const mesh of this.meshes) {
      if (mesh.blend || !mesh.shown) continue;
      this.#joints(mesh, places);
      gl.bindVertexArray(mesh.array);
      gl.drawElements(gl.TRIANGLES, mesh.part.indices.length, gl.UNSIGNED_INT, 0);
    }
    return this.depths.texture;
  }

  // The whole picture, or a rougher one while something moves (a share below 1). False: what it took says nothing of the next.
  draw(view, share = 1) {
    const { gl, canvas: { width, height } } = this;
    const target = share < 1 ? this.coarse : this.whole;
    gl.enable(gl.DEPTH_TEST);
    gl.depthMask(true);
    gl.depthFunc(gl.LEQUAL);
    gl.disable(gl.BLEND);
    gl.activeTexture(gl.TEXTURE3);
    gl.bindTexture(gl.TEXTURE_2D, null);
    this.#sharp(share < 1 ? 1 : 4);
    const depths = this.head && view.mode === "seen" ? this.#depths(view) : null;
    const kept = this.head && share < 1 ? this.#kept(view, width, height) : null;
    target.begin(width, height, share === 1);
    gl.clearColor(...view.background, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    if (this.head) this.#head(view, target, depths, kept);
    target.show();
    return !kept?.drawn;
  }

  // hair as it was drawn before, if it only has to be lit again; which is so from the second picture in one place on
  #kept(view, width, height) {
    const mesh = this.meshes.find((one) => one.name === "hair" && one.shown && !one.blend);
    if (!mesh || MODES.indexOf(view.mode) > 4) return null;
    const { skin } = mesh.part, joints = skin ? [...this.#jointsOf(mesh)].map((k) => skin.matrices.subarray(16 * k, 16 * k + 16).join()) : [];
    const key = JSON.stringify([view.turn, view.middle, view.zoom, view.shift, view.texture, view.relief, width, height, mesh.part.stamp, joints]);
    const still = key === this.place;
    this.place = key;
    if (!still && key !== this.strands.key) return null;
    const { gl } = this;
    this.layer ??= this.#program(VERTEX, LAYER_FRAGMENT);
    this.relit ??= this.#program(KEPT_VERTEX, KEPT_FRAGMENT);
    const drawn = this.strands.keep(key, width, height, () => {
      gl.useProgram(this.layer.program);
      this.#camera(this.layer.places, view, view.turn, width, height, view.zoom, view.shift);
      this.#maps(this.layer.places);
      gl.uniform1i(this.layer.places.relief, view.relief ? 1 : 0);
      gl.uniform1i(this.layer.places.smoothed, 0);
      this.#surface(mesh, this.layer.places, view);
    });
    return { mesh, drawn };
  }

  #jointsOf(mesh) {
    mesh.joints ??= new Set(mesh.part.joint.filter((_, k) => mesh.part.weight[k] > 0));
    return mesh.joints;
  }

  #maps(places) {
    const { gl } = this;
    [places.albedoMap, places.normalMap, places.roughMap, places.seenMap].forEach((place, k) => gl.uniform1i(place, k));
  }

  #lights(places, view) {
    const { gl } = this;
    gl.uniformMatrix3fv(places.quadratic, false, view.light.quadratic);
    gl.uniform3fv(places.linear, view.light.linear);
    gl.uniform3fv(places.constant, view.light.constant);
    gl.uniform3fv(places.key, view.light.key);
    gl.uniformMatrix3fv(places.lampTurn, true, view.lampTurn);
    gl.uniform1i(places.mode, MODES.indexOf(view.mode));
  }

  #head(view, { width, height, samples }, depths, kept) {
    const { gl } = this, common = (places) => this.#camera(places, view, view.turn, width, height, view.zoom, view.shift);
    const { program, places } = this.program;
    gl.useProgram(program);
    common(places);
    if (depths) {
      gl.activeTexture(gl.TEXTURE3);
      gl.bindTexture(gl.TEXTURE_2D, depths);
      gl.uniformMatrix3fv(places.seenTurn, true, timesTransposed(view.seen, view.turn));
      gl.uniform1f(places.seenFocal, 2 * view.focal);
    }
    this.#lights(places, view);
    this.#maps(places);
    gl.uniform1i(places.relief, view.relief ? 1 : 0);
    gl.uniform1i(places.smoothed, samples ? 1 : 0);
    gl.uniform3f(places.eye, 0, 0, view.distance);
    gl.uniform3fv(places.keyColour, view.light.colour);
    for (const mesh of this.meshes) if (!mesh.blend && mesh.shown && mesh !== kept?.mesh) this.#surface(mesh, places, view);
    if (kept) {
      const { relit } = this;
      gl.useProgram(relit.program);
      this.#lights(relit.places, view);
      gl.uniform4fv(relit.places.factor, this.#factor(kept.mesh, view));
      this.strands.draw(relit.places);
      gl.useProgram(program);
    }
    if (view.layers) {
      gl.enable(gl.BLEND);
      gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      gl.depthMask(false);
      for (const mesh of this.meshes) if (mesh.blend && mesh.shown) this.#surface(mesh, places, view);
    }
    gl.depthMask(true);
    gl.disable(gl.BLEND);
    gl.disable(gl.SAMPLE_ALPHA_TO_COVERAGE);
    if (view.mode === "wireframe") this.#lattice(view, common);
    gl.bindVertexArray(null);
  }

  #lattice(view, common) {
    const { gl, lines: { program, places } } = this;
    gl.useProgram(program);
    common(places);
    gl.uniform4f(places.factor, 0.08, 0.16, 0.3, 1);
    for (const mesh of this.meshes) {
      if (mesh.blend || !mesh.shown) continue;
      this.#joints(mesh, places);
      gl.bindVertexArray(mesh.array);  // first: a new buffer of indices is bound to whatever array is
      const wires = this.#wires(mesh);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, wires.buffer);
      gl.drawElements(gl.LINES, wires.count, gl.UNSIGNED_INT, 0);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, mesh.index);
    }
  }

  #joints(mesh, places) {
    const gl = this.gl, { skin } = mesh.part;
    const bent = skin && [...this.#jointsOf(mesh)].some((k) => UNMOVED.some((value, j) => Math.abs(skin.matrices[16 * k + j] - value) > 1e-6));
    gl.uniform1i(places.skinned, bent ? 1 : 0);
    if (bent) gl.uniformMatrix4fv(places.joints, false, skin.matrices);
  }

  #factor(mesh, view) {
    const grey = !view.texture && mesh.textures.albedo && !mesh.blend;
    return grey ? [0.72, 0.72, 0.72, mesh.factor[3]] : mesh.factor;
  }

  #surface(mesh, places, view) {
    const gl = this.gl, { textures } = mesh;
    const albedo = view.texture ? textures.albedo : null;
    gl.uniform3i(places.has, albedo ? 1 : 0, textures.normal ? 1 : 0, textures.rough ? 1 : 0);
    [albedo, textures.normal, textures.rough].forEach((texture, k) => {
      gl.activeTexture(gl.TEXTURE0 + k);
      gl.bindTexture(gl.TEXTURE_2D, texture || null);
    });
    gl.uniform4fv(places.factor, this.#factor(mesh, view));
    gl.uniform4f(places.gloss, ...mesh.gloss, view.gloss ? 1 : 0);
    gl.uniform1f(places.soft, view.gloss && mesh.skin ? 1 : 0);
    gl.uniform1f(places.cutoff, mesh.cutoff);
    gl.uniform1i(places.twoSided, mesh.twoSided ? 1 : 0);
    gl.uniform1i(places.strands, mesh.name === "hair" ? 1 : 0);
    if (mesh.cutoff >= 0) gl.enable(gl.SAMPLE_ALPHA_TO_COVERAGE); else gl.disable(gl.SAMPLE_ALPHA_TO_COVERAGE);
    if (mesh.twoSided) gl.disable(gl.CULL_FACE); else gl.enable(gl.CULL_FACE);
    this.#joints(mesh, places);
    gl.bindVertexArray(mesh.array);
    if (!mesh.part.colour) gl.vertexAttrib4f(4, 1, 1, 1, 1);
    if (view.mode === "wireframe") gl.enable(gl.POLYGON_OFFSET_FILL), gl.polygonOffset(1, 1);
    gl.drawElements(gl.TRIANGLES, mesh.part.indices.length, gl.UNSIGNED_INT, 0);
    gl.disable(gl.POLYGON_OFFSET_FILL);
  }

  free() {
    const gl = this.gl;
    for (const mesh of this.meshes) {
      gl.deleteVertexArray(mesh.array);
      mesh.buffers.forEach((buffer) => gl.deleteBuffer(buffer));
      this.live -= 1 + mesh.buffers.length;
    }
    this.textures.forEach((texture) => gl.deleteTexture(texture));
    this.live -= this.textures.length;
    this.meshes = [];
    this.textures = [];
    this.sharpness = 0;
    this.head = null;
    this.strands.free();
  }
}

// whether the processor draws: no graphics card, or none that the browser uses
function inSoftware(gl) {
  const told = gl.getExtension("WEBGL_debug_renderer_info");
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(gl.getParameter(told ? told.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}

// "ada_skin" of a mesh "ada" is its skin
function nameOf(material, json) {
  const name = String(material.name || "surface"), mesh = `${json.meshes[0].name}_`;
  return name.startsWith(mesh) ? name.slice(mesh.length) : name;
}

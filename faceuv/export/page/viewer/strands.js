// Hair has many layers and costs most of a picture. While the head stands still and its light or its expression moves, its
// colours, normals and depths are kept from one drawing and only lit again.

const KEPT_FORMATS = ["RGBA8", "RGBA8", "RGBA8", "DEPTH_COMPONENT24"];
const KEPT_MAPS = ["keptBase", "keptNormal", "keptAlong", "keptDepth"];

class Strands {
  constructor(gl) {
    Object.assign(this, { gl, frame: null, key: "", textures: [], array: gl.createVertexArray() });
  }

  // Runs draw() into the buffers unless what they hold is of the same key; whether it ran.
  keep(key, width, height, draw) {
    if (key === this.key) return false;
    const { gl } = this;
    if (!this.frame || this.width !== width || this.height !== height) this.#make(width, height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    draw();
    this.key = key;
    return true;
  }

  #make(width, height) {
    const { gl } = this;
    this.free();
    Object.assign(this, { width, height, frame: gl.createFramebuffer() });
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    this.textures = KEPT_FORMATS.map((format, k) => {
      const texture = gl.createTexture();
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texStorage2D(gl.TEXTURE_2D, 1, gl[format], width, height);
      for (const side of ["MIN", "MAG"]) gl.texParameteri(gl.TEXTURE_2D, gl[`TEXTURE_${side}_FILTER`], gl.NEAREST);
      gl.framebufferTexture2D(gl.FRAMEBUFFER, k < 3 ? gl.COLOR_ATTACHMENT0 + k : gl.DEPTH_ATTACHMENT, gl.TEXTURE_2D, texture, 0);
      return texture;
    });
    gl.bindTexture(gl.TEXTURE_2D, null);  // what is drawn into must not be read from
    gl.drawBuffers([0, 1, 2].map((k) => gl.COLOR_ATTACHMENT0 + k));
  }

  // lights what is kept, by a program that is in use, where nothing lies before it
  draw(places) {
    const { gl } = this;
    this.textures.forEach((texture, k) => {
      gl.activeTexture(gl.TEXTURE0 + k);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.uniform1i(places[KEPT_MAPS[k]], k);
    });
    gl.disable(gl.CULL_FACE);
    gl.bindVertexArray(this.array);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    this.textures.forEach((_, k) => {
      gl.activeTexture(gl.TEXTURE0 + k);
      gl.bindTexture(gl.TEXTURE_2D, null);
    });
  }

  free() {
    this.textures.forEach((texture) => this.gl.deleteTexture(texture));
    this.gl.deleteFramebuffer(this.frame);
    this.textures = [];
    this.frame = null;
    this.key = "";
  }
}

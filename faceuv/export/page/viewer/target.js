// Where a picture is drawn before the canvas shows it: with smooth edges, or without them while something moves.

const SAMPLES = 4;

class Target {
  constructor(gl) {
    Object.assign(this, { gl, frame: null, width: 0, height: 0, samples: 0, parts: [] });
    this.most = Math.min(SAMPLES, gl.getParameter(gl.MAX_SAMPLES));
  }

  begin(width, height, smooth) {
    const { gl } = this, samples = smooth ? this.most : 0;
    if (!this.frame || this.width !== width || this.height !== height || this.samples !== samples) {
      this.free();
      Object.assign(this, { width, height, samples, frame: gl.createFramebuffer() });
      gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
      for (const [format, place] of [[gl.RGB8, gl.COLOR_ATTACHMENT0], [gl.DEPTH_COMPONENT24, gl.DEPTH_ATTACHMENT]]) {
        const part = gl.createRenderbuffer();
        gl.bindRenderbuffer(gl.RENDERBUFFER, part);
        gl.renderbufferStorageMultisample(gl.RENDERBUFFER, samples, format, width, height);
        gl.framebufferRenderbuffer(gl.FRAMEBUFFER, place, gl.RENDERBUFFER, part);
        this.parts.push(part);
      }
    }
    this.bind();
  }

  bind() {
    this.gl.bindFramebuffer(this.gl.FRAMEBUFFER, this.frame);
    this.gl.viewport(0, 0, this.width, this.height);
  }

  // to the canvas, which has no opacity either: several samples go only between equal formats
  show() {
    const { gl, width, height } = this;
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, this.frame);
    gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, null);
    gl.blitFramebuffer(0, 0, width, height, 0, 0, width, height, gl.COLOR_BUFFER_BIT, gl.NEAREST);
    gl.invalidateFramebuffer(gl.READ_FRAMEBUFFER, [gl.COLOR_ATTACHMENT0, gl.DEPTH_ATTACHMENT]);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  }

  free() {
    this.parts.forEach((part) => this.gl.deleteRenderbuffer(part));
    this.gl.deleteFramebuffer(this.frame);
    this.parts = [];
    this.frame = null;
  }
}

// How finely a moving picture is drawn. Where a whole picture takes too long (a rasterizer in software, a small phone), it has
// fewer pixels and rough edges while something moves, as few as are needed; the picture at rest is always whole.

const SHARES = [1, 0.7, 0.5, 0.35, 0.25];  // of the canvas's sides; the first draws the whole picture
const TOO_LONG = 42, SPARE = 16;           // milliseconds of a moving picture
const REST = 180;                          // milliseconds without a change until the whole picture is drawn

class Pace {
  constructor(painter) {
    this.painter = painter;
    this.level = painter.software ? 2 : 0;
    this.fence = null;
    this.then = null;
  }

  get share() { return SHARES[this.level]; }
  get busy() { return !!this.fence; }

  // after a picture's commands were given: how long it takes is known when the graphics card has ended them
  begin(share, sure) {
    const { gl } = this.painter, begun = performance.now();
    if (this.fence) gl.deleteSync(this.fence);
    const fence = (this.fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0));
    gl.flush();
    const look = () => {
      if (this.fence !== fence) return;
      if (!gl.isContextLost() && gl.getSyncParameter(fence, gl.SYNC_STATUS) !== gl.SIGNALED) return void setTimeout(look, 2);
      gl.deleteSync(fence);
      this.fence = null;
      this.ended = performance.now();
      if (sure) this.#learn(share, this.ended - begun);
      const { then } = this;
      this.then = null;
      then?.();
    };
    setTimeout(look, 0);
  }

  #learn(share, took) {
    if (share === 1) {
      if (took < TOO_LONG) this.level = 0;
      else if (!this.level) this.level = 2;
    } else if (took > TOO_LONG) this.level = Math.min(this.level + 1, SHARES.length - 1);
    else if (took < SPARE) this.level = Math.max(this.level - 1, 1);
  }
}

// Points drawn as pixels of a 2-D canvas, where there is no WebGL.

class CanvasPoints {
  constructor(canvas, plane) {
    this._canvas = canvas;
    this._context = canvas.getContext("2d");
    this._plane = plane;
    this._colours = new Uint8Array(4 * plane.x.length);
    this._order = new Uint32Array(0);
    this._some = shuffled(plane.x.length);
  }

  setColours(colours, order) {
    this._colours = colours;
    this._order = order;
  }

  // Draws all points in their order, or one in `every` of them.
  draw(viewport, size, ratio, every = 1) {
    const { width, height } = this._canvas;
    const image = this._context.createImageData(width, height);
    const side = Math.max(1, Math.round(size * ratio));
    const { x, y } = this._plane;
    const colours = this._colours;
    const [scaleX, scaleY] = viewport.scale.map((scale) => scale * ratio);
    const [centerX, centerY] = viewport.center;
    const drawn = every > 1 ? this._some.subarray(0, this._some.length / every) : this._order;
    for (const i of drawn) {
      const alpha = colours[4 * i + 3];
      if (alpha === 0) continue;
      const left = Math.round(width / 2 + (x[i] - centerX) * scaleX - side / 2);
      const top = Math.round(height / 2 - (y[i] - centerY) * scaleY - side / 2);
      if (left + side <= 0 || top + side <= 0 || left >= width || top >= height) continue;
      this._square(image, left, top, side, colours.subarray(4 * i, 4 * i + 3), alpha / 255);
    }
    this._context.putImageData(image, 0, 0);
  }

  // Lays a square over what is there.
  _square({ data, width, height }, left, top, side, colour, cover) {
    for (let row = Math.max(top, 0); row < Math.min(top + side, height); row++) {
      for (let column = Math.max(left, 0); column < Math.min(left + side, width); column++) {
        const at = 4 * (row * width + column);
        const under = (data[at + 3] / 255) * (1 - cover);
        const alpha = cover + under;
        for (let part = 0; part < 3; part++) {
          data[at + part] = (colour[part] * cover + data[at + part] * under) / alpha;
        }
        data[at + 3] = 255 * alpha;
      }
    }
  }
}

// Points drawn by WebGL 2: buffers of positions, of colours and of their order, and a pair
// of shaders.

const VERTEX_SHADER = `#version 300 es
in vec2 position;
in vec4 colour;
uniform vec2 center;
uniform vec2 scale;
uniform float size;
out vec4 shade;
void main() {
  shade = colour;
  vec2 place = (position - center) * scale;
  gl_Position = colour.a == 0.0 ? vec4(2.0, 2.0, 2.0, 1.0) : vec4(place, 0.0, 1.0);
  gl_PointSize = size;
}`;

const FRAGMENT_SHADER = `#version 300 es
precision highp float;
in vec4 shade;
uniform float size;
out vec4 pixel;
void main() {
  float away = length(gl_PointCoord - 0.5) * size;
  float cover = clamp(size * 0.5 - away, 0.0, 1.0) * shade.a;
  if (cover == 0.0) discard;
  pixel = vec4(shade.rgb * cover, cover);
}`;

class WebglPoints {
  // Returns null where WebGL 2 is missing or does not work.
  static on(canvas, plane) {
    const context = canvas.getContext("webgl2", { alpha: true, antialias: false, depth: false });
    const points = context ? new WebglPoints(canvas, context, plane) : null;
    return points?.isReady ? points : null;
  }

  constructor(canvas, gl, plane) {
    this._canvas = canvas;
    this._gl = gl;
    this._places = new Float32Array(2 * plane.x.length);
    for (let i = 0; i < plane.x.length; i++) {
      this._places[2 * i] = plane.x[i];
      this._places[2 * i + 1] = plane.y[i];
    }
    this._colours = new Uint8Array(4 * plane.x.length);
    this._order = new Uint32Array(0);
    this._some = shuffled(plane.x.length);
    this._build();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this._build();
      this.onRestored?.();
    });
  }

  _build() {
    const gl = this._gl;
    const program = gl.createProgram();
    for (const [kind, source] of [
      [gl.VERTEX_SHADER, VERTEX_SHADER],
      [gl.FRAGMENT_SHADER, FRAGMENT_SHADER],
    ]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    this.isReady = gl.getProgramParameter(program, gl.LINK_STATUS);
    if (!this.isReady) return;
    gl.useProgram(program);
    this._uniforms = Object.fromEntries(
      ["center", "scale", "size"].map((name) => [name, gl.getUniformLocation(program, name)])
    );
    const filled = (name, data, size, type, normalized) => {
      const buffer = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW);
      const place = gl.getAttribLocation(program, name);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, size, type, normalized, 0, 0);
      return buffer;
    };
    filled("position", this._places, 2, gl.FLOAT, false);
    this._colourBuffer = filled("colour", this._colours, 4, gl.UNSIGNED_BYTE, true);
    this._someBuffer = gl.createBuffer();
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this._someBuffer);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, this._some, gl.STATIC_DRAW);
    this._orderBuffer = gl.createBuffer();
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this._orderBuffer);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, this._order, gl.DYNAMIC_DRAW);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.clearColor(0, 0, 0, 0);
  }

  setColours(colours, order) {
    const gl = this._gl;
    this._colours = colours;
    this._order = order;
    gl.bindBuffer(gl.ARRAY_BUFFER, this._colourBuffer);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, colours);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this._orderBuffer);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, order, gl.DYNAMIC_DRAW);
  }

  // Draws all points in their order, or one in `every` of them.
  draw(viewport, size, ratio, every = 1) {
    const gl = this._gl;
    const [scaleX, scaleY] = viewport.scale;
    gl.viewport(0, 0, this._canvas.width, this._canvas.height);
    gl.uniform2f(this._uniforms.center, ...viewport.center);
    gl.uniform2f(this._uniforms.scale, (2 * scaleX) / viewport.width, (2 * scaleY) / viewport.height);
    gl.uniform1f(this._uniforms.size, size * ratio + 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, every > 1 ? this._someBuffer : this._orderBuffer);
    const count = every > 1 ? Math.ceil(this._some.length / every) : this._order.length;
    gl.drawElements(gl.POINTS, count, gl.UNSIGNED_INT, 0);
  }
}

// Operators of decoder programs, with the meaning that ONNX gives them, for one sample: the first
// axis has one entry. A tensor has a shape and data in C order.

const sizeOf = (shape) => shape.reduce((product, side) => product * side, 1);

function tensor(shape, data) {
  return { shape, data };
}

// The data of a tensor repeated to a larger shape, as in broadcasting.
function broadcast({ shape, data }, wanted) {
  const size = sizeOf(wanted);
  if (data.length === size) return data;
  const made = new data.constructor(size);
  if (data.length === 1) return made.fill(data[0]);
  const missing = wanted.length - shape.length;
  const steps = wanted.map(() => 0);
  for (let axis = shape.length - 1, step = 1; axis >= 0; axis--) {
    if (shape[axis] > 1) steps[axis + missing] = step;
    step *= shape[axis];
  }
  const place = wanted.map(() => 0);
  for (let i = 0, from = 0; i < size; i++) {
    made[i] = data[from];
    for (let axis = wanted.length - 1; axis >= 0; axis--) {
      from += steps[axis];
      if (++place[axis] < wanted[axis]) break;
      from -= steps[axis] * wanted[axis];
      place[axis] = 0;
    }
  }
  return made;
}

function commonShape(tensors) {
  const axes = Math.max(...tensors.map(({ shape }) => shape.length));
  const side = (shape, axis) => shape[axis - axes + shape.length] ?? 1;
  return Array.from({ length: axes }, (_, axis) =>
    Math.max(...tensors.map(({ shape }) => side(shape, axis)))
  );
}

// An operator that computes each cell of its output from one cell of each input.
function cellwise(compute, Type = null) {
  return (inputs) => {
    const shape = commonShape(inputs);
    const parts = inputs.map((input) => broadcast(input, shape));
    const wide = parts.some((part) => part instanceof Float64Array);
    const made = new (Type ?? (wide ? Float64Array : Float32Array))(sizeOf(shape));
    const [a, b, c] = parts;
    if (parts.length === 1) for (let i = 0; i < made.length; i++) made[i] = compute(a[i]);
    else if (parts.length === 2) {
      for (let i = 0; i < made.length; i++) made[i] = compute(a[i], b[i]);
    } else for (let i = 0; i < made.length; i++) made[i] = compute(a[i], b[i], c[i]);
    return tensor(shape, made);
  };
}

// Like `cellwise` of one input, with a function that depends on the attributes.
const withAttributes = (make) => (inputs, attributes) => cellwise(make(attributes))(inputs);

// The series of DLMF 7.6.2, which has no cancellation; beyond 4 the rest is below 2e-8.
function erf(x) {
  if (Math.abs(x) > 4) return Math.sign(x);
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-9 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

// (..., k) times (k, n), and a bias (n) if there is one.
function matrixProduct([left, right, bias]) {
  const [inner, width] = right.shape;
  const rows = left.data.length / inner;
  const made = new Float32Array(rows * width);
  const sums = new Float64Array(width);
  for (let row = 0; row < rows; row++) {
    if (bias) sums.set(bias.data);
    else sums.fill(0);
    for (let k = 0; k < inner; k++) {
      const factor = left.data[row * inner + k];
      if (factor === 0) continue;
      const start = k * width;
      for (let j = 0; j < width; j++) sums[j] += factor * right.data[start + j];
    }
    made.set(sums, row * width);
  }
  return tensor([...left.shape.slice(0, -1), width], made);
}

function reshape([input, wanted]) {
  const shape = Array.from(wanted.data, (side, axis) => (side === 0 ? input.shape[axis] : side));
  const known = shape.reduce((product, side) => (side === -1 ? product : product * side), 1);
  return tensor(
    shape.map((side) => (side === -1 ? input.data.length / known : side)),
    input.data
  );
}

// Cells in another order: `from(place)` is the place in the input of a place in the output.
function rearranged(input, shape, from) {
  const made = new input.data.constructor(sizeOf(shape));
  const steps = new Array(input.shape.length).fill(1);
  for (let axis = steps.length - 2; axis >= 0; axis--) {
    steps[axis] = steps[axis + 1] * input.shape[axis + 1];
  }
  const place = shape.map(() => 0);
  for (let i = 0; i < made.length; i++) {
    made[i] = input.data[from(place, steps)];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++place[axis] < shape[axis]) break;
      place[axis] = 0;
    }
  }
  return tensor(shape, made);
}

function transpose([input], { perm }) {
  const shape = perm.map((axis) => input.shape[axis]);
  const long = perm.filter((axis) => input.shape[axis] > 1);
  if (long.every((axis, i) => i === 0 || long[i - 1] < axis)) return tensor(shape, input.data);
  return rearranged(input, shape, (place, steps) =>
    perm.reduce((sum, axis, i) => sum + place[i] * steps[axis], 0)
  );
}

function slice([input, starts, stops, axes]) {
  const first = input.shape.map(() => 0);
  const shape = [...input.shape];
  axes.data.forEach((axis, i) => {
    const bound = (at) => Math.min(at < 0 ? at + input.shape[axis] : at, input.shape[axis]);
    first[axis] = bound(starts.data[i]);
    shape[axis] = bound(stops.data[i]) - first[axis];
  });
  return rearranged(input, shape, (place, steps) =>
    place.reduce((sum, at, axis) => sum + (at + first[axis]) * steps[axis], 0)
  );
}

function tile([input, repeats]) {
  const shape = input.shape.map((side, axis) => side * repeats.data[axis]);
  return rearranged(input, shape, (place, steps) =>
    place.reduce((sum, at, axis) => sum + (at % input.shape[axis]) * steps[axis], 0)
  );
}

function resize([input, , scales]) {
  const shape = input.shape.map((side, axis) => Math.floor(side * scales.data[axis]));
  return rearranged(input, shape, (place, steps) =>
    place.reduce((sum, at, axis) => sum + Math.floor(at / scales.data[axis]) * steps[axis], 0)
  );
}

function unsqueeze([input, axes]) {
  const shape = [...input.shape];
  for (const axis of axes.data) shape.splice(axis, 0, 1);
  return tensor(shape, input.data);
}

function pad([input, pads]) {
  const axes = input.shape.length;
  const before = Array.from(pads.data).slice(0, axes);
  const shape = input.shape.map((side, axis) => side + before[axis] + pads.data[axis + axes]);
  const made = new input.data.constructor(sizeOf(shape));
  const place = input.shape.map(() => 0);
  for (const value of input.data) {
    let to = 0;
    for (let axis = 0; axis < axes; axis++) to = to * shape[axis] + place[axis] + before[axis];
    made[to] = value;
    for (let axis = axes - 1; axis >= 0; axis--) {
      if (++place[axis] < input.shape[axis]) break;
      place[axis] = 0;
    }
  }
  return tensor(shape, made);
}

function concat(inputs, { axis }) {
  const along = axis < 0 ? axis + inputs[0].shape.length : axis;
  const shape = [...inputs[0].shape];
  shape[along] = inputs.reduce((sum, input) => sum + input.shape[along], 0);
  const blocks = sizeOf(shape.slice(0, along));
  const made = new Float32Array(sizeOf(shape));
  let to = 0;
  for (let block = 0; block < blocks; block++) {
    for (const { data } of inputs) {
      const size = data.length / blocks;
      made.set(data.subarray(block * size, (block + 1) * size), to);
      to += size;
    }
  }
  return tensor(shape, made);
}

// Calls `change` with the cells along an axis, and their distance.
function alongAxis(input, axis, change) {
  const along = axis < 0 ? axis + input.shape.length : axis;
  const length = input.shape[along];
  const step = sizeOf(input.shape.slice(along + 1));
  const made = Float32Array.from(input.data);
  for (let block = 0; block < made.length; block += length * step) {
    for (let first = block; first < block + step; first++) change(made, first, step, length);
  }
  return tensor(input.shape, made);
}

function softmax([input], { axis = -1 }, logarithm = false) {
  return alongAxis(input, axis, (data, first, step, length) => {
    let [largest, sum] = [-Infinity, 0];
    for (let i = 0; i < length; i++) largest = Math.max(largest, data[first + i * step]);
    for (let i = 0; i < length; i++) sum += Math.exp(data[first + i * step] - largest);
    for (let i = 0; i < length; i++) {
      const away = data[first + i * step] - largest;
      data[first + i * step] = logarithm ? away - Math.log(sum) : Math.exp(away) / sum;
    }
  });
}

function layerNormalization([input, scale, shift], { axis = -1, epsilon }) {
  return alongAxis(input, axis, (data, first, step, length) => {
    let [mean, squares] = [0, 0];
    for (let i = 0; i < length; i++) mean += data[first + i * step] / length;
    for (let i = 0; i < length; i++) squares += (data[first + i * step] - mean) ** 2 / length;
    const factor = 1 / Math.sqrt(squares + epsilon);
    for (let i = 0; i < length; i++) {
      const at = first + i * step;
      data[at] = (data[at] - mean) * factor * scale.data[i] + shift.data[i];
    }
  });
}

// Sides and settings of a convolution in two dimensions; one of one dimension has height 1.
function convolutionSides({ shape }, kernel, attributes) {
  const one = shape.length === 3;
  const two = (pair, filler) => (one ? [filler, pair[0]] : pair);
  const pads = attributes.pads;
  return {
    one,
    channels: shape[1],
    sides: two(shape.slice(2), 1),
    window: two(kernel.shape.slice(2), 1),
    stride: two(attributes.strides ?? [1, 1], 1),
    dilation: two(attributes.dilations ?? [1, 1], 1),
    before: one ? [0, pads[0]] : pads.slice(0, 2),
    after: one ? [0, pads[1]] : pads.slice(2),
    group: attributes.group ?? 1,
  };
}

function convolutionOutput(channels, [height, width], bias, one) {
  const data = new Float32Array(channels * height * width);
  if (bias) bias.data.forEach((value, m) => data.fill(value, m * height * width, (m + 1) * height * width));
  return tensor(one ? [1, channels, width] : [1, channels, height, width], data);
}

function convolution([input, kernel, bias], attributes) {
  const { one, channels, sides, window, stride, dilation, before, after, group } =
    convolutionSides(input, kernel, attributes);
  const [height, width] = [0, 1].map(
    (i) =>
      Math.floor(
        (sides[i] + before[i] + after[i] - dilation[i] * (window[i] - 1) - 1) / stride[i]
      ) + 1
  );
  const filters = kernel.shape[0];
  const inGroup = channels / group;
  const made = convolutionOutput(filters, [height, width], bias, one);
  for (let m = 0; m < filters; m++) {
    const base = Math.floor(m / (filters / group)) * inGroup;
    for (let c = 0; c < inGroup; c++) {
      for (let ky = 0; ky < window[0]; ky++) {
        for (let kx = 0; kx < window[1]; kx++) {
          const weight = kernel.data[((m * inGroup + c) * window[0] + ky) * window[1] + kx];
          const left = kx * dilation[1] - before[1];
          const first = Math.max(0, Math.ceil(-left / stride[1]));
          const stop = Math.min(width, Math.floor((sides[1] - 1 - left) / stride[1]) + 1);
          for (let y = 0; y < height; y++) {
            const row = y * stride[0] + ky * dilation[0] - before[0];
            if (row < 0 || row >= sides[0]) continue;
            const from = ((base + c) * sides[0] + row) * sides[1] + left;
            const to = (m * height + y) * width;
            for (let x = first; x < stop; x++) {
              made.data[to + x] += weight * input.data[from + x * stride[1]];
            }
          }
        }
      }
    }
  }
  return made;
}

function transposedConvolution([input, kernel, bias], attributes) {
  const { one, channels, sides, window, stride, before, after } = convolutionSides(
    input,
    kernel,
    attributes
  );
  const more = attributes.output_padding ?? [0, 0];
  const extra = one ? [0, more[0]] : more;
  const [height, width] = [0, 1].map(
    (i) => (sides[i] - 1) * stride[i] + window[i] + extra[i] - before[i] - after[i]
  );
  const filters = kernel.shape[1];
  const made = convolutionOutput(filters, [height, width], bias, one);
  for (let c = 0; c < channels; c++) {
    for (let m = 0; m < filters; m++) {
      for (let ky = 0; ky < window[0]; ky++) {
        for (let kx = 0; kx < window[1]; kx++) {
          const weight = kernel.data[((c * filters + m) * window[0] + ky) * window[1] + kx];
          for (let y = 0; y < sides[0]; y++) {
            const row = y * stride[0] + ky - before[0];
            if (row < 0 || row >= height) continue;
            const from = (c * sides[0] + y) * sides[1];
            const to = (m * height + row) * width + kx - before[1];
            for (let x = 0; x < sides[1]; x++) {
              const column = x * stride[1] + kx - before[1];
              if (column < 0 || column >= width) continue;
              made.data[to + x * stride[1]] += weight * input.data[from + x];
            }
          }
        }
      }
    }
  }
  return made;
}

const OPERATORS = {
  Abs: cellwise(Math.abs),
  Add: cellwise((a, b) => a + b),
  Cast: ([input]) => input,
  Clip: cellwise((x, low, high) => Math.min(Math.max(x, low), high)),
  Concat: concat,
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  Div: cellwise((a, b) => a / b),
  Elu: withAttributes(({ alpha = 1 }) => (x) => (x > 0 ? x : alpha * Math.expm1(x))),
  Erf: cellwise(erf),
  Exp: cellwise(Math.exp),
  Gemm: matrixProduct,
  Greater: cellwise((a, b) => (a > b ? 1 : 0), Uint8Array),
  HardSigmoid: withAttributes(
    ({ alpha, beta }) => (x) => Math.min(Math.max(alpha * x + beta, 0), 1)
  ),
  LayerNormalization: layerNormalization,
  LeakyRelu: withAttributes(({ alpha }) => (x) => (x > 0 ? x : alpha * x)),
  Log: cellwise(Math.log),
  LogSoftmax: (inputs, attributes) => softmax(inputs, attributes, true),
  MatMul: matrixProduct,
  Max: cellwise(Math.max),
  Min: cellwise(Math.min),
  Mul: cellwise((a, b) => a * b),
  PRelu: cellwise((x, slope) => (x > 0 ? x : slope * x)),
  Pad: pad,
  Relu: cellwise((x) => Math.max(x, 0)),
  Reshape: reshape,
  Resize: resize,
  Selu: withAttributes(
    ({ alpha, gamma }) => (x) => gamma * (x > 0 ? x : alpha * Math.expm1(x))
  ),
  Sigmoid: cellwise(sigmoid),
  Sign: cellwise(Math.sign),
  Slice: slice,
  Softmax: (inputs, attributes) => softmax(inputs, attributes),
  Softplus: cellwise(softplus),
  Softsign: cellwise((x) => x / (1 + Math.abs(x))),
  Sub: cellwise((a, b) => a - b),
  Tanh: cellwise(Math.tanh),
  Tile: tile,
  Transpose: transpose,
  Unsqueeze: unsqueeze,
  Where: cellwise((condition, a, b) => (condition ? a : b)),
};

// Arrays of numbers from the texts that packing.py wrote.

const ARRAY_TYPES = {
  u8: Uint8Array,
  u16: Uint16Array,
  u32: Uint32Array,
  f32: Float32Array,
  f64: Float64Array,
};

function unpacked({ type, data }) {
  const text = atob(data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new ARRAY_TYPES[type](bytes.buffer);
}

// The numbers from 0 to before `count` in random order, which is always the same.
function shuffled(count) {
  const numbers = Uint32Array.from({ length: count }, (_, i) => i);
  let state = 1;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (i + 1));
    [numbers[i], numbers[other]] = [numbers[other], numbers[i]];
  }
  return numbers;
}

// Codes, row by row, of numbers that were stored with 16 bits each.
function unpackedCodes(packed, rows) {
  const { size, low, step } = packed;
  const places = unpacked(packed);
  const values = new Float32Array(rows * size);
  for (let i = 0; i < values.length; i++) values[i] = low[i % size] + places[i] * step[i % size];
  return { size, rows, values, of: (row) => values.subarray(row * size, (row + 1) * size) };
}

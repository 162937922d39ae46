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

// Codes, row by row, of numbers that were stored with 16 bits each.
function unpackedCodes(packed, rows) {
  const { size, low, step } = packed;
  const places = unpacked(packed);
  const values = new Float32Array(rows * size);
  for (let i = 0; i < values.length; i++) values[i] = low[i % size] + places[i] * step[i % size];
  return { size, rows, values, of: (row) => values.subarray(row * size, (row + 1) * size) };
}

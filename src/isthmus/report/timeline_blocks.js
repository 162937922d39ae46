// Blocks of buckets, each with the lowest and the highest value of its rows in every channel, and
// the marks that are drawn from them. `plot` has left and width, in CSS pixels, and ratio, the
// number of pixels in each of these.
"use strict";

function decoded(text, Type) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Type(bytes.buffer);
}

// `step` is the time between rows, for a block of evenly spaced rows.
function makeBlock({ size, count, first, stop, times, low, high }, step) {
  const lows = decoded(low, Float32Array);
  const highs = high === null ? lows : decoded(high, Float32Array);
  let from, to;
  if (times === null) {
    from = Float64Array.from({ length: count }, (_, i) => (first + i * size) * step);
    to = from.map((start, i) => (Math.min(first + (i + 1) * size, stop) - 1) * step);
  } else {
    const both = decoded(times, Float64Array);
    from = both.subarray(0, count);
    to = both.subarray(count);
  }
  const channel = (values) => (c) => values.subarray(c * count, (c + 1) * count);
  return { size, count, from, to, low: channel(lows), high: channel(highs) };
}

// The number of sorted values that are less than `bound`.
function countBelow(values, bound) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

// One mark for each bucket between two times or, if there are more buckets than pixels, for each
// column of pixels. A step longer than `gap` is a gap.
function marksOf(block, plot, start, end, gap) {
  const first = Math.max(0, countBelow(block.to, start) - 1);
  const stop = Math.min(block.count, countBelow(block.from, end) + 1);
  const total = Math.max(0, stop - first);
  const scale = plot.width / (end - start);
  const columns = total > plot.width * plot.ratio; // more buckets than pixels
  const lines = block.size === 1 && !columns; // else, marks are areas from left to right
  const snapped = (x) => Math.round(x * plot.ratio) / plot.ratio;
  const of = new Int32Array(total);
  const left = [];
  const right = [];
  const broken = []; // whether there is a gap in time before a mark
  let column = NaN;
  for (let i = first; i < stop; i++) {
    const x = plot.left + (block.from[i] - start) * scale;
    const here = Math.floor(x * plot.ratio);
    if (!columns || here !== column) {
      broken.push(i > first && block.from[i] - block.to[i - 1] > gap);
      left.push(columns ? here / plot.ratio : lines ? x : snapped(x));
      const end = snapped(plot.left + (block.to[i] - start) * scale);
      right.push(lines ? x : Math.max(columns ? 0 : end, left[left.length - 1] + 1 / plot.ratio));
      column = here;
    }
    of[i - first] = left.length - 1;
  }
  if (!lines) {
    for (let m = 0; m + 1 < left.length; m++) if (!broken[m + 1]) right[m] = left[m + 1];
  }
  return { block, first, total, of, left, right, broken, columns, lines, count: left.length };
}

// The lowest and the highest value of a channel in each mark, NaN where all are missing.
function extremes(marks, channel) {
  const bottom = new Float32Array(marks.count).fill(NaN);
  const top = new Float32Array(marks.count).fill(NaN);
  const low = marks.block.low(channel);
  const high = marks.block.high(channel);
  for (let i = 0; i < marks.total; i++) {
    const mark = marks.of[i];
    const least = low[marks.first + i];
    if (Number.isNaN(least)) continue;
    const most = high[marks.first + i];
    if (!(bottom[mark] <= least)) bottom[mark] = least;
    if (!(top[mark] >= most)) top[mark] = most;
  }
  return { bottom, top };
}

// Runs of marks without a gap or missing values between them, as [first, last].
function pieced(marks, values) {
  const found = [];
  for (let m = 0; m < marks.count; m++) {
    if (Number.isNaN(values[m])) continue;
    const run = found[found.length - 1];
    if (run && run[1] === m - 1 && !marks.broken[m]) run[1] = m;
    else found.push([m, m]);
  }
  return found;
}

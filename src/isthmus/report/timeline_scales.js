// Ticks, texts of numbers and times, and vertical scales. Times are seconds since the `origin`,
// which is in milliseconds since 1970; rows without dates have numbers.
"use strict";

const TIME_STEPS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800,
  3600, 7200, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7862400, 31536000, 157680000,
];

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((m) => m * power >= least * 0.999);
}

// A value on a scale with ticks every `step`.
function numberText(value, step) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e6 || (size < 1e-3 && step < 1e-4)) return powerText(value);
  const decimals = Math.min(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)), 9);
  return value.toFixed(decimals).replace("-", "−");
}

// Such as 1e8 or 2.5e−7.
function powerText(value) {
  return value.toExponential(2).replace(/\.?0*e\+?/, "e").replaceAll("-", "−");
}

const readText = (value) => numberText(value, niceStep(Math.max(Math.abs(value), 1e-30) / 1000));

// The time of a place along the axis, as precise as a step of `precision` seconds needs.
function moment(origin, seconds, precision) {
  const iso = new Date(origin + seconds * 1000).toISOString();
  if (precision >= 86400) return iso.slice(0, 10);
  if (precision >= 60) return iso.slice(11, 16);
  return precision >= 1 ? iso.slice(11, 19) : iso.slice(11, 23);
}

// A time or row in full; for series whose rows are `step` apart.
function when(place, { dated, origin, step }) {
  if (!dated) return `row ${Math.round(place).toLocaleString("en")}`;
  const precision = step >= 60 ? 60 : Math.min(step, 1);
  return `${moment(origin, place, 86400)} ${moment(origin, place, precision)}`;
}

function timeTicks(view, plot, { dated, origin }) {
  const least = ((view.end - view.start) * 92) / plot.width;
  const step = dated
    ? TIME_STEPS.find((s) => s >= least) ?? niceStep(least)
    : Math.max(1, niceStep(least));
  const from = dated ? origin / 1000 : 0;
  const ticks = [];
  for (let k = Math.ceil((view.start + from) / step); k * step - from <= view.end; k++) {
    const at = k * step - from;
    const text = dated ? moment(origin, at, step) : at.toLocaleString("en");
    ticks.push({ at, text, day: dated && step < 86400 ? moment(origin, at, 86400) : "" });
  }
  return ticks;
}

// A vertical scale over the range of what is visible.
function verticalScale(low, high, top, height, log) {
  if (!(high - low > Math.abs(low) * 1e-9)) {
    const room = Math.abs(low) * 0.1 || 1;
    [low, high] = Number.isFinite(low) ? [low - room, low + room] : [0, 1];
  }
  if (log) {
    const least = Math.max(low, high * 1e-12); // the scores on such a scale are positive
    const span = Math.log(high / least) * 1.05;
    const y = (v) => top + height - (height * Math.log(Math.max(v, least) / least)) / span;
    const ticks = [];
    const every = Math.ceil(Math.log10(high / least) / 3);
    for (let p = Math.ceil(Math.log10(least)); 10 ** p <= high; p += every) ticks.push(10 ** p);
    if (ticks.length === 0) ticks.push(least, high);
    const text = (at) => (at >= 1e6 || at < 1e-3 ? powerText(at) : `${Number(at.toPrecision(3))}`);
    return { y, ticks: ticks.map((at) => ({ at, text: text(at) })) };
  }
  const margin = (high - low) * 0.06;
  const y = (v) => top + height - (height * (v - low + margin)) / (high - low + 2 * margin);
  const step = niceStep((high - low) / 4);
  const ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) {
    ticks.push({ at: k * step, text: numberText(k * step, step) });
  }
  return { y, ticks };
}

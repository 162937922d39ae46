// Texts of numbers, shares and times, as the reports of isthmus write them.

const countText = (amount, noun) =>
  `${amount.toLocaleString("en")} ${noun}${amount === 1 ? "" : "s"}`;

// At most `digits` significant digits, without trailing zeros.
function numberText(value, digits = 4) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "missing" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size === 0) return "0";
  let text;
  if (size < 1e-4 || size >= 1e15) {
    text = size.toExponential(digits - 1).replace(/\.?0*e\+?/, "e").replace("e-", "e−");
  } else if (size >= 10 ** digits) {
    text = Math.round(size).toLocaleString("en");
  } else {
    text = String(Number(size.toPrecision(digits)));
  }
  return value < 0 ? `−${text}` : text;
}

function percentText(share) {
  const percent = 100 * share;
  if (percent > 0 && percent < 0.1) return "< 0.1 %";
  return `${Number(percent.toFixed(percent < 10 ? 1 : 0))} %`;
}

// `milliseconds` since 1970, since midnight, or of a duration.
function timeText(milliseconds, shown) {
  if (!Number.isFinite(milliseconds)) return "missing";
  if (shown === "duration") return durationText(milliseconds);
  const moment = new Date(milliseconds);
  if (Number.isNaN(moment.getTime())) return numberText(milliseconds);
  const [day, time] = moment.toISOString().slice(0, -1).split("T");
  const clock = time.replace(/(:00)?\.000$/, "");
  if (shown === "time") return clock;
  return shown === "date" || clock === "00:00" ? day : `${day} ${clock}`;
}

function durationText(milliseconds) {
  const units = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "min"],
    [1000, "s"],
  ];
  const [size, unit] = units.find(([each]) => Math.abs(milliseconds) >= each) ?? [1, "ms"];
  return `${numberText(milliseconds / size)} ${unit}`;
}

// The colours of the theme, read from the custom properties of the style sheet.

const CLASS_COLOURS = 12;
const SHADES = 8;

function rgbOf(text) {
  const digits = text.trim().replace("#", "");
  return [0, 2, 4].map((place) => parseInt(digits.slice(place, place + 2), 16));
}

function readPalette() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const series = (letter, count) => Array.from({ length: count }, (_, i) => colour(`${letter}${i}`));
  return {
    text: colour("text"),
    muted: colour("muted"),
    surface: colour("surface"),
    accent: colour("accent"),
    missing: rgbOf(colour("muted")),
    classes: series("c", CLASS_COLOURS).map(rgbOf),
    shades: series("s", SHADES).map(rgbOf),
  };
}

const cssColour = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;

// The colour at a share from 0 to 1 of a scale, between its shades.
function shadeAt(shades, share) {
  const place = Math.min(Math.max(share, 0), 1) * (shades.length - 1);
  const first = Math.min(Math.floor(place), shades.length - 2);
  const rest = place - first;
  return shades[first].map((part, i) => Math.round(part + rest * (shades[first + 1][i] - part)));
}

// How a column is coloured: `colourOf(value)`, and for categories which colour each has. Of more
// categories than colours, the rarest share the last one. Points with a higher rank, which have rarer
// categories, are drawn over others.
function colouring(column, palette) {
  if (!column.isCategory) {
    const [low, high] = column.quantiles(0.02, 0.98);
    const span = high - low || 1;
    const steps = Array.from({ length: 256 }, (_, i) => shadeAt(palette.shades, i / 255));
    const colourOf = (value) =>
      Number.isNaN(value)
        ? palette.missing
        : steps[Math.round(Math.min(Math.max((value - low) / span, 0), 1) * 255)];
    return { low, high, colourOf, rankOf: () => 0 };
  }
  const counts = column.counts();
  const common = counts.slice(0, -1).map((count, place) => ({ count, place }));
  common.sort((a, b) => b.count - a.count || a.place - b.place);
  const colours = new Array(counts.length - 1).fill(palette.classes[CLASS_COLOURS - 1]);
  const own = common.length > CLASS_COLOURS ? common.slice(0, CLASS_COLOURS - 1) : common;
  own
    .map(({ place }) => place)
    .sort((a, b) => a - b)
    .forEach((place, i) => {
      colours[place] = palette.classes[i];
    });
  const colourOf = (value) => (Number.isNaN(value) ? palette.missing : colours[value]);
  const ranks = new Array(counts.length - 1);
  common.forEach(({ place }, i) => {
    ranks[place] = Math.min(i, 253);
  });
  return { counts, colourOf, rankOf: (value) => (Number.isNaN(value) ? 0 : ranks[value]) };
}

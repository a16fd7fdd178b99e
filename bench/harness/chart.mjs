// A small line chart as SVG: lines over time with units, and a strip of named spans below them.

/**
 * @typedef {{ name: string, points: readonly (readonly [number, number])[], dashed?: boolean }} Line points in order of x
 * @typedef {{ name: string, from: number, to: number, weight: number }} Span `weight`: 0 calm to 3 worst
 * @typedef {{ x: number, text: string }} Mark
 * @typedef {object} ChartOf
 * @property {string} title
 * @property {{ x: string, y: string }} units
 * @property {readonly Line[]} lines
 * @property {string} [strip] what the spans tell
 * @property {readonly Span[]} [spans]
 * @property {readonly Mark[]} [marks]
 */

const WIDTH = 960;
const HEIGHT = 480;
const PLOT = { left: 64, top: 48, right: 720, bottom: 380 };
const STRIP = { top: 424, height: 16 };
const LEGEND_BOTTOM = 426;

// Colours by role, told apart on white and on black alike; the first are those of Okabe and Ito.
const STYLE = `
  svg { font: 12px system-ui, sans-serif; background: #ffffff }
  text { fill: #1f2328 } .title { font-size: 15px; font-weight: 600 }
  .grid { stroke: #d0d7de } .axis { stroke: #1f2328 }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117 } text { fill: #e6edf3 } .grid { stroke: #3d444d } .axis { stroke: #e6edf3 }
  }
  .mark { stroke: #d73a49; stroke-dasharray: 2 3 } .markText { fill: #d73a49 }
  .line { fill: none; stroke-width: 1.6 } .dashed { stroke-dasharray: 6 4 }
  .c0 { stroke: #0072b2 } .c1 { stroke: #e69f00 } .c2 { stroke: #009e73 } .c3 { stroke: #cc79a7 }
  .c4 { stroke: #56b4e9 } .c5 { stroke: #d55e00 } .c6 { stroke: #8a8f98 } .c7 { stroke: #b8a300 }
  .w0 { fill: #2da44e } .w1 { fill: #bf8700 } .w2 { fill: #d4660a } .w3 { fill: #cf222e }`;
const COLOURS = 8;
const LEVELS = 4;

/** The chart, as the text of an SVG file. @param {ChartOf} chart @returns {string} */
export function lineChart({ title, units, lines, strip, spans = [], marks = [] }) {
  const points = lines.flatMap(({ points }) => points);
  const x = scaleOf(
    points.map(([at]) => at),
    PLOT.left,
    PLOT.right,
    { fromZero: false },
  );
  const y = scaleOf(
    points.map(([, value]) => value),
    PLOT.bottom,
    PLOT.top,
    { fromZero: true },
  );
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}\n</style>`,
    `<text class="title" x="${PLOT.left}" y="24">${escaped(title)}</text>`,
    ...yAxis(y, units.y),
    ...xAxis(x, units.x),
    ...lines.flatMap((line, i) => drawLine(line, i, x, y)),
    ...spans.map((span) => drawSpan(span, x)),
    ...(strip === undefined ? [] : stripLegend(strip, spans)),
    ...marks.flatMap((mark) => drawMark(mark, x)),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

/**
 * Round steps of 1, 2 or 5 times a power of ten, about five of them, over at least what the values span.
 * @param {number} least @param {number} most @returns {number[]}
 */
export function ticksOf(least, most) {
  const span = most - least || Math.abs(most) || 1;
  const power = 10 ** Math.floor(Math.log10(span / 5));
  const step = power * /** @type {number} */ ([1, 2, 5, 10].find((times) => span / (power * times) <= 6));
  const first = Math.floor(least / step + 1e-9);
  const last = Math.ceil(most / step - 1e-9);
  return Array.from({ length: Math.max(1, last - first) + 1 }, (_, i) => (first + i) * step);
}

/**
 * At most two points for each column of pixels, the lowest and the highest: what a line of many would look like.
 * @param {Line['points']} points @param {(x: number) => number} columnOf @returns {Line['points']}
 */
export function thinned(points, columnOf) {
  /** @type {(readonly [number, number])[]} */
  const kept = [];
  for (let i = 0; i < points.length; ) {
    const column = columnOf(/** @type {readonly [number, number]} */ (points[i])[0]);
    let low = i;
    let high = i;
    let next = i;
    for (; next < points.length; next++) {
      const [at, value] = /** @type {readonly [number, number]} */ (points[next]);
      if (columnOf(at) !== column) break;
      if (value < /** @type {readonly [number, number]} */ (points[low])[1]) low = next;
      if (value > /** @type {readonly [number, number]} */ (points[high])[1]) high = next;
    }
    for (const which of new Set([Math.min(low, high), Math.max(low, high)]))
      kept.push(/** @type {readonly [number, number]} */ (points[which]));
    i = next;
  }
  return kept;
}

/** @typedef {{ ticks: number[], place(value: number): number }} Scale */

/** @param {readonly number[]} values @param {number} from @param {number} to @param {{ fromZero: boolean }} options @returns {Scale} */
function scaleOf(values, from, to, { fromZero }) {
  let least = fromZero ? 0 : Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  const ticks = values.length > 0 ? ticksOf(least, most) : [0, 1];
  const first = /** @type {number} */ (ticks[0]);
  const last = /** @type {number} */ (ticks.at(-1));
  return { ticks, place: (value) => from + ((value - first) / (last - first)) * (to - from) };
}

/** @param {Scale} scale @param {string} unit */
function yAxis({ ticks, place }, unit) {
  return [
    ...ticks.flatMap((tick) => [
      `<path class="grid" d="M${PLOT.left} ${at(place(tick))}H${PLOT.right}"/>`,
      `<text x="${PLOT.left - 8}" y="${at(place(tick) + 4)}" text-anchor="end">${label(tick)}</text>`,
    ]),
    `<text x="${PLOT.left - 8}" y="${PLOT.top - 12}" text-anchor="end">${escaped(unit)}</text>`,
  ];
}

/** @param {Scale} scale @param {string} unit */
function xAxis({ ticks, place }, unit) {
  return [
    `<path class="axis" d="M${PLOT.left} ${PLOT.bottom}H${PLOT.right}"/>`,
    ...ticks.map((tick, i) => {
      const text = i === ticks.length - 1 ? `${label(tick)} ${escaped(unit)}` : label(tick);
      return `<text x="${at(place(tick))}" y="${PLOT.bottom + 18}" text-anchor="middle">${text}</text>`;
    }),
  ];
}

/** @param {Line} line @param {number} index @param {Scale} x @param {Scale} y */
function drawLine({ name, points, dashed }, index, x, y) {
  const look = `line c${index % COLOURS}${dashed ? ' dashed' : ''}`;
  const path = thinned(points, (value) => Math.round(x.place(value)))
    .map(([px, py], i) => `${i === 0 ? 'M' : 'L'}${at(x.place(px))} ${at(y.place(py))}`)
    .join('');
  const top = PLOT.top + 8 + index * 20;
  return [
    ...(path === '' ? [] : [`<path class="${look}" d="${path}"/>`]),
    `<path class="${look}" d="M${PLOT.right + 16} ${top}h24"/>`,
    `<text x="${PLOT.right + 48}" y="${top + 4}">${escaped(name)}</text>`,
  ];
}

/** @param {Span} span @param {Scale} x */
function drawSpan({ name, from, to, weight }, x) {
  const left = x.place(from);
  const width = Math.max(1, x.place(to) - left);
  return `<rect class="w${weight}" x="${at(left)}" y="${STRIP.top}" width="${at(width)}" height="${STRIP.height}"><title>${escaped(name)}</title></rect>`;
}

/** @param {string} name @param {readonly Span[]} spans */
function stripLegend(name, spans) {
  const shown = Array.from({ length: LEVELS }, (_, weight) => spans.find((span) => span.weight === weight));
  return [
    `<text x="${PLOT.left - 8}" y="${STRIP.top + 12}" text-anchor="end">${escaped(name)}</text>`,
    ...shown
      .filter((span) => span !== undefined)
      .flatMap((span, i) => [
        `<rect class="w${span.weight}" x="${PLOT.right + 16}" y="${LEGEND_BOTTOM - 20 * i}" width="12" height="12"/>`,
        `<text x="${PLOT.right + 48}" y="${LEGEND_BOTTOM - 20 * i + 10}">${escaped(span.name)}</text>`,
      ]),
  ];
}

/** @param {Mark} mark @param {Scale} x */
function drawMark({ x: where, text }, x) {
  const left = at(x.place(where));
  return [
    `<path class="mark" d="M${left} ${PLOT.top}V${PLOT.bottom}"/>`,
    `<text class="markText" x="${left}" y="${PLOT.top - 6}" text-anchor="end">${escaped(text)}</text>`,
  ];
}

/** @param {number} value */
const at = (value) => Math.round(value * 10) / 10;

/** @param {number} value */
const label = (value) => String(Number(value.toPrecision(6)));

/** @param {string} text */
function escaped(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

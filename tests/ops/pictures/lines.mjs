// A panel of lines over time, with its legend.
import { escaped, nothing, settingsOf } from './field.mjs';
import { colour, nth, written } from './units.mjs';

/** Round marks of an axis between two values. */
function marks(low, high, count) {
  const rough = (high - low) / count;
  const order = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * order).find((one) => one >= rough) ?? order * 10;
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step)
    found.push(Number(at.toPrecision(12)));
  return found;
}

/** As many decimals as the marks of an axis need to differ; seconds and bytes choose a unit of their own. */
function decimals([first = 0, second = 1], unit) {
  if (['bytes', 's'].includes(unit)) return undefined;
  const gap = (second - first) * (unit === 'percentunit' ? 100 : 1);
  return [0, 1, 2, 3, 4].find((count) => Math.abs(gap * 10 ** count - Math.round(gap * 10 ** count)) < 1e-9) ?? 5;
}

/** The path of a series; it has a gap where points are missing or no numbers. */
function path(points, step, x, y) {
  let before;
  return points
    .map(([at, value]) => {
      if (!Number.isFinite(value)) {
        before = undefined;
        return '';
      }
      const isJoined = before !== undefined && at - before <= 1.5 * step;
      before = at;
      return `${isJoined ? 'L' : 'M'}${x(at).toFixed(1)} ${y(value).toFixed(1)}h.01`;
    })
    .join('');
}

function legend(named, { displayMode, calcs = [], placement }, at, room) {
  if (displayMode === 'hidden') return { html: '', size: 0 };
  const columns = {
    lastNotNull: ['Last *', (all) => all.at(-1)],
    max: ['Max', (all) => Math.max(...all)],
    mean: ['Mean', (all) => all.reduce((sum, one) => sum + one, 0) / all.length],
  };
  const chosen = displayMode === 'table' ? calcs.map((calc) => columns[calc]) : [];
  const line = 17;
  const isSide = placement === 'right';
  // Grafana gives a legend below the lines no more than a third of the room; the rest is to be scrolled to.
  const fits = Math.max(1, Math.floor((isSide ? room.h : room.h * 0.35) / line) - 1);
  const body = named.slice(0, fits).map(({ name, tint, field, points }) => {
    const numbers = points.map(([, value]) => value).filter(Number.isFinite);
    const cells = chosen.map(([, of]) => `<td>${numbers.length > 0 ? escaped(written(of(numbers), field, at)) : ''}`);
    return `<tr><td><s style="background:${tint}"></s>${escaped(name)}${cells.join('')}`;
  });
  const more = named.length > fits ? `<div class=more>${named.length - fits} more, to be scrolled to</div>` : '';
  const head = chosen.length > 0 ? `<tr><th>Name${chosen.map(([name]) => `<th>${name}`).join('')}` : '';
  const size = isSide ? Math.min(room.w * 0.42, 330) : (Math.min(named.length, fits) + 1) * line + (more ? line : 0);
  return {
    html: `<div class=legend style="${isSide ? `width:${size}px` : `height:${size}px`}"><table>${head}${body.join('')}</table>${more}</div>`,
    size,
  };
}

/** Lines where the thresholds are, if the panel shows them. */
function bounds({ thresholds, custom }, y, left, right, [low, high]) {
  const style = custom.thresholdsStyle?.mode ?? 'off';
  if (style === 'off') return '';
  const steps = (thresholds?.steps ?? []).filter(({ value }) => value !== null && value > low && value <= high);
  return steps
    .map(
      (step) =>
        `<line x1="${left}" x2="${right}" y1="${y(step.value)}" y2="${y(step.value)}" stroke="${colour(step.color)}" stroke-dasharray="8 6" stroke-width="1.5"/>`,
    )
    .join('');
}

export function lines(panel, at, room) {
  if (panel.series.length === 0) return { values: [], html: nothing(panel) };
  const named = panel.series.map((one, index) => {
    const field = settingsOf(panel, one.name, one.refId);
    const tint = field.color?.mode === 'fixed' ? colour(field.color.fixedColor) : nth(index);
    return { ...one, name: field.displayName ?? one.name, field, tint };
  });
  const { defaults } = panel.fieldConfig;
  const options = panel.options.legend;
  const under = legend(named, options, at, room);
  const isSide = options.placement === 'right';
  const w = room.w - (isSide ? under.size + 8 : 0);
  const h = room.h - (isSide ? 0 : under.size + 4);
  const all = named.flatMap(({ points }) => points.map(([, value]) => value)).filter(Number.isFinite);
  const low = defaults.min ?? Math.min(...all, 0);
  const high = defaults.max ?? Math.max(...all, defaults.custom?.axisSoftMax ?? -Infinity, low + Number.EPSILON);
  const top =
    high === low || high - low < 1e-12 ? low + 1 : high + (defaults.max === undefined ? (high - low) * 0.06 : 0);
  const box = { left: 74, right: w - 6, top: 6, bottom: h - 20 };
  const x = (time) => box.left + ((time - panel.from) / (panel.to - panel.from)) * (box.right - box.left);
  const y = (value) => box.bottom - ((value - low) / (top - low)) * (box.bottom - box.top);
  const steps = marks(low, top, Math.max(2, Math.floor(h / 45)));
  const axis = { ...defaults, decimals: decimals(steps, defaults.unit) };
  const grid = steps.map(
    (value) =>
      `<line x1="${box.left}" x2="${box.right}" y1="${y(value)}" y2="${y(value)}" stroke="#2c3235"/><text x="${box.left - 6}" y="${y(value) + 4}" text-anchor="end">${escaped(written(value, axis, at))}</text>`,
  );
  const times = marks(panel.from, panel.to, Math.floor(w / 110)).map(
    (time) =>
      `<text x="${x(time)}" y="${h - 4}" text-anchor="middle">${new Date(time * 1000).toLocaleTimeString('en-GB', { timeZone: at.zone })}</text>`,
  );
  const drawn = named.map(
    ({ points, step, tint, field }) =>
      `<path d="${path(points, step, x, y)}" fill="none" stroke="${tint}" stroke-width="${field.custom.lineWidth ?? 1}" stroke-linecap="round"/>`,
  );
  const svg = `<svg width="${w}" height="${h}">${grid.join('')}${times.join('')}${bounds(defaults, y, box.left, box.right, [low, top])}${drawn.join('')}</svg>`;
  // A line's colour says which it is, not how good.
  const values = named.map(({ name, points, field }) => ({
    name,
    value: points.at(-1)?.[1],
    text: `${name} ${written(points.at(-1)?.[1] ?? NaN, field, at)}`,
    colour: '',
  }));
  return { values, html: `<div class="plot ${isSide ? 'side' : 'under'}">${svg}${under.html}</div>` };
}

// A panel of states over time: one bar for each series, cut where its state changes.
import { escaped, nothing, settingsOf } from './field.mjs';
import { shown } from './units.mjs';

/** Stretches of one state: from when, until when, which. */
function stretches({ points, step }) {
  const found = [];
  for (const [at, value] of points) {
    const before = found.at(-1);
    if (before && before.value === value && at - before.until <= 1.5 * step) before.until = at;
    else found.push({ from: at, until: at, value });
    if (before && before.value !== value && at - before.until <= 1.5 * step) before.until = at;
  }
  return found;
}

export function spans(panel, at, room) {
  if (panel.series.length === 0) return { values: [], html: nothing(panel) };
  const left = 90;
  const x = (time) => left + ((time - panel.from) / (panel.to - panel.from)) * (room.w - left - 6);
  const tall = Math.min(60, (room.h - 24) / panel.series.length);
  const values = [];
  const bars = panel.series.map((one, index) => {
    const field = settingsOf(panel, one.name, one.refId);
    const parts = stretches(one).map(({ from, until, value }) => {
      const { text, colour } = shown(value, field, at);
      values.push({ name: one.name, value, text: `${one.name} ${text}`, colour });
      const wide = Math.max(x(until) - x(from), 1);
      const words =
        wide > text.length * 8
          ? `<text x="${x(from) + 4}" y="${(index + 0.5) * tall + 4}" style="fill:#fff">${escaped(text)}</text>`
          : '';
      return `<rect x="${x(from)}" y="${index * tall + 4}" width="${wide}" height="${tall - 8}" fill="${colour}" fill-opacity=".8"/>${words}`;
    });
    return `<text x="${left - 8}" y="${(index + 0.5) * tall + 4}" text-anchor="end">${escaped(one.name)}</text>${parts.join('')}`;
  });
  const times = [panel.from, panel.to].map(
    (time, index) =>
      `<text x="${x(time)}" y="${room.h - 6}" text-anchor="${index === 0 ? 'start' : 'end'}">${new Date(time * 1000).toLocaleTimeString('en-GB', { timeZone: at.zone })}</text>`,
  );
  return { values, html: `<svg width="${room.w}" height="${room.h}">${bars.join('')}${times.join('')}</svg>` };
}

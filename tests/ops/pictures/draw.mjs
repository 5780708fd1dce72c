// A dashboard as a page: each panel in its place, in Grafana's dark colours.
import { GAP, WIDTH, cell } from './ask.mjs';
import { lines } from './lines.mjs';
import { rows } from './rows.mjs';
import { spans } from './spans.mjs';
import { escaped, nothing, settingsOf } from './field.mjs';
import { colour, shown } from './units.mjs';

const STYLE = `
* { box-sizing: border-box; margin: 0 }
body { background: #111217; color: #ccccdc; font: 13px/1.35 Inter, "Liberation Sans", Arial, "DejaVu Sans", sans-serif; width: ${WIDTH}px; position: relative }
header { height: 52px; padding: 8px 16px; background: #181b1f; border-bottom: 1px solid #2c3235 }
header b { font-size: 17px } header span { color: #9a9aa8; margin-left: 12px }
.panel { position: absolute; background: #181b1f; border: 1px solid #2c3235; border-radius: 3px; padding: 6px 8px; overflow: hidden; display: flex; flex-direction: column }
.row { position: absolute; font-weight: bold; padding: 8px 10px }
h2 { font-size: 13px; font-weight: 600; white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
.says { color: #8e8e9c; font-size: 11px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; margin-bottom: 4px }
.body { flex: 1; min-height: 0; position: relative; display: flex; flex-direction: column }
.nothing { flex: 1; display: flex; align-items: center; justify-content: center; color: #8e8e9c; font-size: 16px }
.tiles { flex: 1; display: grid; gap: 4px; min-height: 0 }
.tile { border-radius: 3px; padding: 2px 6px; display: flex; flex-direction: column; align-items: center; justify-content: center; min-width: 0; overflow: hidden; color: #fff; text-shadow: 0 0 3px #000a }
.tile i { font-style: normal; font-size: 12px; max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.tile b { white-space: nowrap; max-width: 100%; overflow: hidden; line-height: 1.15 }
.bars { flex: 1; display: flex; gap: 6px; min-height: 0; overflow: hidden } .bars.down { flex-direction: column } .bars.across { align-items: stretch }
.bar { display: flex; align-items: center; gap: 8px; flex: 1; min-height: 18px; max-height: 44px; min-width: 0 }
.across .bar { flex-direction: column-reverse; max-height: none }
.bar > i { font-style: normal; overflow: hidden; text-overflow: ellipsis; white-space: nowrap } .down .bar > i { width: 30% } .across .bar > i { max-width: 100% }
.bar > div { flex: 1; background: #22252b; align-self: stretch; position: relative; min-width: 0 } .bar > div > div { position: absolute; left: 0; bottom: 0; opacity: .85 }
.bar > b { white-space: nowrap; text-align: right } .down .bar > b { min-width: 76px }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: 3px 8px; border-bottom: 1px solid #22252b; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; max-width: 340px }
th { color: #6e9fff; font-weight: 600 } td.tinted { color: #fff; text-shadow: 0 0 3px #000a }
.frames { margin-top: 6px; border: 1px solid #2c3235; padding: 3px 8px; color: #8e8e9c }
.legend { overflow: hidden; font-size: 11px } .legend table td, .legend table th { padding: 1px 6px; border: 0 } .legend td:not(:first-child), .legend th:not(:first-child) { text-align: right; width: 84px }
.legend s { display: inline-block; width: 14px; height: 4px; border-radius: 2px; margin-right: 6px; vertical-align: middle }
.plot { flex: 1; min-height: 0; display: flex } .plot.side { flex-direction: row } .plot.under { flex-direction: column }
.more { color: #8e8e9c; font-size: 11px } svg text { fill: #9a9aa8; font-size: 11px }`;

/** The last value of each series, as tiles and bars show it. */
function last(panel, at) {
  const found = panel.series.map((one) => {
    const field = settingsOf(panel, one.name, one.refId);
    const value = one.points.at(-1)?.[1];
    return { name: field.displayName ?? one.name, value, field, ...shown(value, field, at) };
  });
  if (found.length > 0) return found;
  const field = panel.fieldConfig.defaults;
  return [{ name: '', value: null, field, ...shown(null, field, at) }];
}

function stat(panel, at, { w, h }) {
  const values = last(panel, at);
  const hasNames =
    panel.options.textMode === 'value_and_name' || (values.length > 1 && panel.options.textMode !== 'value');
  const across = Math.max(1, Math.min(values.length, Math.round(Math.sqrt((values.length * w) / (h * 2.2)))));
  const room = { w: w / across - 12, h: h / Math.ceil(values.length / across) - 4 - (hasNames ? 18 : 0) };
  const tiles = values.map(({ name, text, colour }) => {
    const size = Math.max(9, Math.min(room.h * 0.6, (room.w / Math.max(text.length, 1)) * 1.55, 54));
    const back = panel.options.colorMode === 'background' ? `background:${colour}` : `color:${colour}`;
    return `<div class=tile style="${back}">${hasNames ? `<i>${escaped(name)}</i>` : ''}<b style="font-size:${size}px">${escaped(text)}</b></div>`;
  });
  return {
    values,
    html: `<div class=tiles style="grid-template-columns:repeat(${across},1fr)">${tiles.join('')}</div>`,
  };
}

function bargauge(panel, at, { w, h }) {
  if (panel.series.length === 0) return { values: [], html: nothing(panel) };
  const values = last(panel, at);
  const auto = w > h ? 'vertical' : 'horizontal';
  const isDown = ((panel.options.orientation ?? 'auto') === 'auto' ? auto : panel.options.orientation) === 'horizontal';
  const most = Math.max(...values.map(({ value }) => value), Number.EPSILON);
  const bars = values.map(({ name, value, text, colour, field }) => {
    const share = 100 * Math.max(0, Math.min(1, value / (field.max ?? most)));
    const size = isDown ? `width:${share}%;height:100%` : `height:${share}%;width:100%`;
    return `<div class=bar><i>${escaped(name)}</i><div><div style="${size};background:${colour}"></div></div><b style="color:${colour}">${escaped(text)}</b></div>`;
  });
  return { values, html: `<div class="bars ${isDown ? 'down' : 'across'}">${bars.join('')}</div>` };
}

const KINDS = { stat, bargauge, timeseries: lines, 'state-timeline': spans, table: rows };

/** A panel as a page's part, with what it says. */
function drawn(panel, at) {
  const { x, y, w, h } = panel.gridPos;
  const box = { left: GAP + x * cell.w, top: 60 + y * cell.h, width: w * cell.w - GAP, height: h * cell.h - GAP };
  const place = `left:${box.left}px;top:${box.top}px;width:${box.width}px;height:${box.height}px`;
  if (panel.type === 'row') return { html: `<div class=row style="${place}">⌄ ${escaped(panel.title)}</div>` };
  const inner = { w: box.width - 18, h: box.height - 52 };
  const { html, values } = KINDS[panel.type](panel, at, inner);
  const page =
    `<div class=panel style="${place}"><h2>${escaped(panel.title)}</h2>` +
    `<div class=says>${escaped(panel.description ?? '')}</div><div class=body>${html}</div></div>`;
  return { html: page, values };
}

/** The page, and what each panel says. */
export function page(dashboard, words) {
  const at = { now: dashboard.to, zone: dashboard.zone };
  const told = [];
  const parts = dashboard.panels.map((panel) => {
    const { html, values } = drawn(panel, at);
    if (panel.type !== 'row') told.push({ panel, values });
    return html;
  });
  const height = 60 + Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h)) * cell.h;
  const variables = dashboard.templating.list
    .filter(({ name }) => name !== 'datasource')
    .map(({ label, name }) => `${label ?? name}: ${dashboard.values[name]}`);
  const moment = new Date(dashboard.to * 1000).toLocaleString('sv-SE', { timeZone: dashboard.zone });
  const range = `${Math.round((dashboard.to - dashboard.from) / 6) / 10} min until ${moment}`;
  const line = [dashboard.description, ...variables, range, words].filter(Boolean).map(escaped).join(' · ');
  const html =
    `<!doctype html><meta charset=utf-8><style>${STYLE}</style><body style="height:${height}px">` +
    `<header><b>${escaped(dashboard.title)}</b><br><span style="margin:0">${line}</span></header>${parts.join('')}`;
  return { html, height, told };
}

/** The name of a colour, where it is one of Grafana's. */
export const nameOf = (value) =>
  ['green', 'orange', 'red', 'yellow', 'blue', 'purple'].find((name) => colour(name) === value) ?? value ?? '';

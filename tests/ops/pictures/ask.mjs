// A dashboard's questions, put to Prometheus as Grafana puts them.
import { readFileSync } from 'node:fs';

/** How wide a dashboard's grid is, and how many pixels a column and a row of it take. */
export const WIDTH = 1600;
const COLUMNS = 24;
export const GAP = 8;
export const cell = { w: (WIDTH - GAP) / COLUMNS, h: 38 };

const windows = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
export const seconds = (text) => Number(text.slice(0, -1)) * windows[text.at(-1)];

async function answered(prometheus, path, form) {
  const reply = await fetch(`${prometheus}/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(form) });
  const answer = await reply.json();
  if (answer.status !== 'success') throw new Error(`${form.query}: ${answer.error}`);
  return answer.data.result;
}

/** What a variable stands for: its one value, several joined, or what it says for all of them. */
async function variable(prometheus, { name, type, query, current, allValue, includeAll, multi }, { from, to }, chosen) {
  if (type !== 'query') return [name, current?.value ?? ''];
  const [, selector, label] = /^label_values\((.+),\s*(\w+)\)$/.exec(query);
  const address = new URL(`${prometheus}/api/v1/label/${label}/values`);
  address.search = new URLSearchParams({ 'match[]': selector, start: from, end: to });
  const { data } = await (await fetch(address)).json();
  if (!includeAll && !multi) return [name, chosen[name] ?? current?.value ?? data[0] ?? ''];
  const escaped = (value) => value.replace(/[\\^$.*+?()[\]{}|]/g, (sign) => `\\\\${sign}`);
  const wanted = [chosen[name] ?? current?.value ?? '$__all'].flat();
  if (wanted.includes('$__all')) return [name, allValue ?? `(${data.map(escaped).join('|')})`];
  return [name, wanted.map(escaped).join('|')];
}

/** An expression with its variables filled in, and its windows shortened where the clock runs faster. */
function filled(expression, values, { step, scrape, range, shorter }) {
  const built = {
    __interval: `${step}s`,
    __rate_interval: `${Math.max(step + scrape, 4 * scrape)}s`,
    __range: `${range}s`,
  };
  const one = (whole, braced, bare) => ({ ...values, ...built })[braced ?? bare] ?? whole;
  let text = expression.replace(/\$\{(\w+)(?::\w+)?\}|\$(\w+)/g, one);
  for (const [window, short] of shorter)
    text = text.replaceAll(`[${window}]`, `[${short}]`).replaceAll(`offset ${window}`, `offset ${short}`);
  return text;
}

/** What a series is called: by its legend, or as Prometheus writes it; by its expression where that says nothing. */
function named({ legendFormat, expr }, labels) {
  if (legendFormat) return legendFormat.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? '');
  const { __name__: metric = '', ...others } = labels;
  const inner = Object.entries(others)
    .sort()
    .map(([key, value]) => `${key}="${value}"`);
  const text = inner.length > 0 ? `${metric}{${inner.join(', ')}}` : metric;
  return text === '' ? expr : text;
}

/** The series of a panel, each with its name, labels, question and points `[seconds, value]`. */
async function series(panel, values, settings) {
  const { prometheus, from, to, scrape } = settings;
  const points = panel.gridPos.w * cell.w;
  const step = Math.max(scrape, Math.ceil((to - from) / points));
  const all = [];
  for (const target of panel.targets ?? []) {
    const query = filled(target.expr, values, { ...settings, step, range: to - from });
    const result = target.instant
      ? await answered(prometheus, 'query', { query, time: to })
      : await answered(prometheus, 'query_range', { query, start: from, end: to, step });
    for (const { metric, value, values: more } of result) {
      const read = (more ?? [value]).map(([at, number]) => [at, Number(number.replace('Inf', 'Infinity'))]);
      all.push({ refId: target.refId, name: named(target, metric), labels: metric, points: read, step });
    }
  }
  return all;
}

/** The dashboard of a file with what each of its panels shows. */
export async function asked(path, settings) {
  const dashboard = JSON.parse(readFileSync(path, 'utf8'));
  const range = /^now-(\d+\w)$/.exec(dashboard.time.from)?.[1] ?? '3h';
  const whole = { ...settings, from: settings.from ?? settings.to - seconds(range) };
  const variables = dashboard.templating.list.map((one) => variable(whole.prometheus, one, whole, settings.chosen));
  const values = Object.fromEntries(await Promise.all(variables));
  const panels = dashboard.panels.filter((panel) => panel.type !== 'row');
  await Promise.all(
    panels.map(async (panel) => {
      panel.series = await series(panel, values, whole);
    }),
  );
  return { ...dashboard, from: whole.from, to: whole.to, zone: dashboard.timezone, values };
}

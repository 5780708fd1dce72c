// A table: series as Grafana turns them into frames, and frames into one table where the panel says so.
import { escaped, nothing, settingsOf } from './field.mjs';
import { colour, shown } from './units.mjs';

/** The frames of a panel's series: one for each question that is asked as a table, else one for each series. */
function frames(panel) {
  const { targets, series } = panel;
  return targets.flatMap(({ refId, format }) => {
    const own = series.filter((one) => one.refId === refId);
    const value = targets.length > 1 ? `Value #${refId}` : 'Value';
    if (format !== 'table') {
      return own.map(({ name, points }) => ({
        name,
        columns: ['Time', name],
        rows: points.map(([at, number]) => ({ Time: at * 1000, [name]: number })),
      }));
    }
    const labels = [...new Set(own.flatMap((one) => Object.keys(one.labels)))];
    const rows = own.map((one) => ({
      Time: one.points.at(-1)[0] * 1000,
      ...one.labels,
      [value]: one.points.at(-1)[1],
    }));
    return own.length > 0 ? [{ name: refId, columns: ['Time', ...labels, value], rows }] : [];
  });
}

/** Rows that agree in what they share become one; the others stay. */
function merged(all) {
  const columns = [...new Set(all.flatMap((one) => one.columns))];
  const shared = columns.filter((column) => all.every((one) => one.columns.includes(column)));
  const byKey = new Map();
  for (const row of all.flatMap((one) => one.rows)) {
    const key = JSON.stringify(shared.map((column) => row[column]));
    byKey.set(key, { ...byKey.get(key), ...row });
  }
  return all.length > 0 ? [{ name: 'merged', columns, rows: [...byKey.values()] }] : [];
}

function organised([frame, ...others], { excludeByName = {}, renameByName = {}, indexByName = {} }) {
  if (frame === undefined) return [];
  const kept = frame.columns.filter((column) => !excludeByName[column]);
  kept.sort((one, other) => (indexByName[one] ?? Infinity) - (indexByName[other] ?? Infinity) || 0);
  const names = (column) => renameByName[column] || column;
  const rows = frame.rows.map((row) => Object.fromEntries(kept.map((column) => [names(column), row[column]])));
  return [{ ...frame, columns: kept.map(names), rows }, ...others];
}

/** The lines of one table, in the order that the panel wants. */
function ordered(rows, [by] = []) {
  if (by === undefined) return rows;
  const rank = (row) => row[by.displayName] ?? -Infinity;
  const compared = (one, other) => (rank(one) < rank(other) ? -1 : rank(one) > rank(other) ? 1 : 0);
  return [...rows].sort((one, other) => (by.desc ? compared(other, one) : compared(one, other)));
}

function cellOf(panel, column, value, at) {
  const field = settingsOf(panel, column);
  if (typeof value === 'string') {
    const mapping = (field.mappings ?? []).find(({ type, options }) => type === 'value' && value in options);
    const result = mapping?.options[value];
    return { text: result?.text ?? value, colour: result?.color && colour(result.color), field };
  }
  const said = shown(value, column === 'Time' ? { ...field, unit: 'dateTimeAsIso' } : field, at);
  return { ...said, text: said.text === 'No data' ? '' : said.text, field };
}

export function rows(panel, at, room) {
  let all = frames(panel);
  for (const { id, options } of panel.transformations ?? []) {
    if (id === 'merge') all = merged(all);
    else if (id === 'organize') all = organised(all, options);
    else throw new Error(`no transformation ${id}`);
  }
  if (all.length === 0) return { values: [], html: nothing(panel) };
  const [frame, ...hidden] = all;
  const fits = Math.floor(room.h / 25) - 1 - (hidden.length > 0 ? 2 : 0);
  const inOrder = ordered(frame.rows, panel.options.sortBy);
  const values = [];
  const body = inOrder.map((row) => {
    const cells = frame.columns.map((column) => {
      const { text, colour: tint, field } = cellOf(panel, column, row[column], at);
      const isTinted = field.custom.cellOptions?.type === 'color-background' && tint && text !== '';
      values.push({ name: column, text, value: row[column] ?? 0, colour: isTinted ? tint : '' });
      return `<td${isTinted ? ` class=tinted style="background:${tint}"` : ''}>${escaped(text)}`;
    });
    return `<tr>${cells.join('')}`;
  });
  const more = body.length > fits ? `<div class=more>${body.length - fits} more, to be scrolled to</div>` : '';
  const choice =
    hidden.length > 0
      ? `<div class=frames>▾ ${escaped(frame.name)} (${hidden.length} more tables behind this choice)</div>`
      : '';
  return {
    values,
    html: `<table><tr>${frame.columns.map((column) => `<th>${escaped(column)}`).join('')}${body.slice(0, fits).join('')}</table>${more}${choice}`,
  };
}

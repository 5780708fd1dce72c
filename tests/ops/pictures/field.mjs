// What panels of every kind share: their fields' settings, and their words.

/** The settings of a field after what is said of it by its name. */
export function settingsOf(panel, name, refId) {
  const { defaults, overrides = [] } = panel.fieldConfig;
  const field = { ...defaults, custom: { ...defaults.custom } };
  for (const {
    matcher: { id, options },
    properties,
  } of overrides) {
    const isMeant =
      (id === 'byName' && options === name) ||
      (id === 'byFrameRefID' && options === refId) ||
      (id === 'byRegexp' && new RegExp(options.replace(/^\/|\/$/g, '')).test(name));
    if (!isMeant) continue;
    for (const { id: key, value } of properties) {
      if (key.startsWith('custom.')) field.custom[key.slice(7)] = value;
      else field[key] = value;
    }
  }
  return field;
}

/** What a panel without data says. */
export const nothing = (panel) =>
  `<div class=nothing>${escaped(panel.fieldConfig.defaults.noValue ?? 'No data')}</div>`;

/** Text as HTML takes it. */
export const escaped = (text) =>
  String(text).replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign]);

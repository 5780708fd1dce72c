// Values as Grafana writes them: its units, its decimals, its mappings and thresholds.

/** Grafana's names of colours, in its dark theme. */
const COLOURS = {
  green: '#73BF69',
  orange: '#FF9830',
  red: '#F2495C',
  yellow: '#FADE2A',
  blue: '#5794F2',
  purple: '#B877D9',
  text: '#CCCCDC',
  transparent: 'transparent',
};
export const colour = (name) => COLOURS[name] ?? name;

/** Its classic palette: what series get that nobody has given a colour. */
const PALETTE = [
  '#73BF69',
  '#F2CC0C',
  '#8AB8FF',
  '#FF780A',
  '#F2495C',
  '#5794F2',
  '#B877D9',
  '#705DA0',
  '#37872D',
  '#FADE2A',
  '#447EBC',
  '#C15C17',
  '#890F02',
  '#0A437C',
  '#6D1F62',
  '#584477',
];
export const nth = (index) => PALETTE[index % PALETTE.length];

const SECONDS = [
  [1e-6, 1e9, ' ns'],
  [1e-3, 1e6, ' µs'],
  [1, 1e3, ' ms'],
  [60, 1, ' s'],
  [3600, 1 / 60, ' mins'],
  [86400, 1 / 3600, ' hours'],
  [604800, 1 / 86400, ' days'],
  [31536000, 1 / 604800, ' weeks'],
  [Infinity, 1 / 31556900, ' years'],
];

/** As many decimals as keep two or three figures. */
function figures(value, decimals) {
  if (!Number.isFinite(value)) return String(value);
  if (decimals === undefined) {
    if (value % 1 === 0) return String(value);
    const order = Math.floor(Math.log10(Math.abs(value)));
    const leading = Math.abs(value) / 10 ** order;
    decimals = Math.max(0, 1 - order + (leading > 2.25 ? 1 : 0));
  }
  return value.toFixed(Math.min(decimals, 20));
}

/** Steps of a factor: K, M, … */
function scaled(value, factor, names, decimals) {
  const size = Math.abs(value);
  const at = size < 1 ? 0 : Math.min(Math.floor(Math.log(size) / Math.log(factor)), names.length - 1);
  return figures(value / factor ** at, decimals) + names[at];
}

function moment(value, zone) {
  return new Date(value).toLocaleString('sv-SE', { timeZone: zone });
}

function away(milliseconds) {
  const seconds = Math.abs(milliseconds) / 1000;
  const steps = [
    [31536000, 'year'],
    [2592000, 'month'],
    [86400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
    [1, 'second'],
  ];
  const [size, name] = steps.find(([size]) => seconds >= size) ?? [1, 'second'];
  const count = Math.round(seconds / size);
  const words = `${count === 1 ? 'a' : count} ${name}${count === 1 ? '' : 's'}`;
  return milliseconds < 0 ? `${words} ago` : `in ${words}`;
}

/** What a value is written as. `now` in seconds since 1970. */
export function written(value, { unit, decimals }, { now, zone }) {
  if (Number.isNaN(value)) return 'NaN';
  switch (unit) {
    case 's': {
      const [, factor, name] = value === 0 ? [0, 1, ' s'] : SECONDS.find(([below]) => Math.abs(value) < below);
      return figures(value * factor, decimals) + name;
    }
    case 'percentunit':
      return `${figures(value * 100, decimals)}%`;
    case 'bytes':
      return scaled(value, 1024, [' B', ' KiB', ' MiB', ' GiB', ' TiB'], decimals);
    case 'reqps':
      return scaled(value, 1000, [' req/s', 'K req/s', 'M req/s'], decimals);
    case 'short':
      return scaled(value, 1000, ['', ' K', ' Mil', ' Bil'], decimals);
    case 'dateTimeAsIso':
      return moment(value, zone);
    case 'dateTimeFromNow':
      return away(value - now * 1000);
    case 'none':
    case undefined:
      return figures(value, decimals);
    default:
      if (unit.startsWith('suffix:')) return `${figures(value, decimals)} ${unit.slice(7)}`;
      throw new Error(`no unit ${unit}`);
  }
}

function isMapped({ type, options }, value) {
  const isNothing = value === null || value === undefined;
  if (type === 'special') {
    const kinds = { null: isNothing, nan: Number.isNaN(value), 'null+nan': isNothing || Number.isNaN(value) };
    return kinds[options.match] ?? false;
  }
  if (isNothing) return false;
  if (type === 'range') return value >= (options.from ?? -Infinity) && value <= (options.to ?? Infinity);
  return String(value) in options;
}

/** The colour that thresholds give; that of the base where there is no value, as Grafana has it. */
function threshold(value, steps) {
  const passed = steps.filter((step) => step.value === null || (value !== null && value >= step.value));
  return (passed.at(-1) ?? steps[0]).color;
}

const PLAIN = [
  { color: 'green', value: null },
  { color: 'red', value: 80 },
];

/** A value's text and colour by a field's settings. */
export function shown(value, field, at) {
  const mapping = (field.mappings ?? []).find((one) => isMapped(one, value));
  const result = mapping && (mapping.type === 'value' ? mapping.options[String(value)] : mapping.options.result);
  const isNothing = value === null || value === undefined;
  const plain = isNothing ? (field.noValue ?? 'No data') : written(value, field, at);
  const byColour = field.color?.mode === 'fixed' ? field.color.fixedColor : undefined;
  const byThreshold = threshold(isNothing || Number.isNaN(value) ? null : value, field.thresholds?.steps ?? PLAIN);
  return { text: result?.text ?? plain, colour: colour(result?.color ?? byColour ?? byThreshold) };
}

// Takes a picture of each dashboard, as it is at a moment, from a Prometheus. What each panel says is told as JSON.
//   node take.mjs --prometheus http://127.0.0.1:9090 [--to seconds] [--from seconds] [--scrape seconds]
//                 [--shorter 5m=8s,1h=12s] [--name now] [--var source=gp] [--folder target/web]
import { mkdirSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { WIDTH, asked } from './ask.mjs';
import { nameOf, page } from './draw.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const { chromium } = createRequire(join(root, 'target/tools/web/package.json'))('playwright-core');

const text = { type: 'string' };
const { values: given } = parseArgs({
  options: {
    prometheus: text,
    from: text,
    to: text,
    scrape: text,
    shorter: text,
    name: text,
    folder: text,
    var: { ...text, multiple: true },
  },
});
const pairs = (list) => list.map((pair) => pair.split('='));
const settings = {
  prometheus: given.prometheus,
  to: Number(given.to ?? Math.floor(Date.now() / 1000)),
  from: given.from && Number(given.from),
  scrape: Number(given.scrape ?? 15),
  shorter: pairs(given.shorter?.split(',') ?? []),
  chosen: Object.fromEntries(pairs(given.var ?? [])),
};
const moment = given.name ?? 'now';
const folder = given.folder ?? join(root, 'target/web');
mkdirSync(folder, { recursive: true });

/** What is wrong with what a panel shows, whatever the data. */
function wrong({ panel, values }, file) {
  const title = `${file}: ${panel.title}`;
  const raw = (panel.series ?? []).filter(({ name, refId }) => {
    const { expr } = panel.targets.find((target) => target.refId === refId);
    const isSeen = panel.type !== 'table' && !(panel.type === 'stat' && panel.options.textMode === 'value');
    return isSeen && (name === '' || name === expr || name.includes('{'));
  });
  return [
    ...raw.map(({ name }) => `${title}: a series is called "${name}"`),
    ...values.filter(({ value }) => Number.isNaN(value)).map(({ name }) => `${title}: ${name} is no number`),
  ];
}

const dashboards = join(root, 'deploy/grafana');
const files = readdirSync(dashboards)
  .filter((name) => name.endsWith('.json'))
  .sort();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
const report = [];
try {
  const sheet = await browser.newPage();
  const words = settings.shorter.length > 0 ? 'windows as in the drill: five minutes are eight seconds' : '';
  for (const name of files) {
    const dashboard = await asked(join(dashboards, name), settings);
    for (const panel of dashboard.panels) Object.assign(panel, { from: dashboard.from, to: dashboard.to });
    const { html, height, told } = page(dashboard, words);
    const file = join(folder, `dashboard-${moment}-${basename(name, '.json')}.png`);
    await sheet.setViewportSize({ width: WIDTH, height });
    await sheet.setContent(html);
    await sheet.screenshot({ path: file });
    for (const one of told) {
      const says = one.values.map(({ text, colour, name }) => ({ name, text, colour: nameOf(colour) }));
      const id = basename(name, '.json');
      report.push({
        dashboard: id,
        title: one.panel.title,
        file,
        empty: one.panel.series.length === 0,
        says,
        wrong: wrong(one, id),
      });
    }
  }
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(report));

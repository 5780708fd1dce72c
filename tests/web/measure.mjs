// The table of README.md: `node tests/web/measure.mjs`, after `cargo build -p tributary`. Times on an emulated line.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'tributary-measure-'));
const binary = ['release', 'debug'].map((kind) => join(root, 'target', kind, 'tributary')).find(existsSync);
const own = spawn(binary, ['demo', '--audit-dir', join(dir, 'audit')], { stdio: ['ignore', 'ignore', 'pipe'] });
process.env.TRIBUTARY_DEMO = await new Promise((resolve) => {
  let said = '';
  own.stderr.on('data', (bytes) => {
    said += bytes;
    const found = said.match(/Open (http:\/\/[0-9.:]+)\/demo/);
    if (found) resolve(found[1]);
  });
});
const { DORIS, GEORGE, PHONE, browser, demo } = await import('./stage.mjs');

/** 400 kbit/s in both directions, 400 ms there and back. */
const SLOW = { offline: false, latency: 400, downloadThroughput: 50_000, uploadThroughput: 50_000 };
const RUNS = 5;
/** When the source of the first clinical section answers, from the request on: the specialist's plan, Doris's hospital. */
const ANSWERED_MS = { [GEORGE]: 600, [DORIS]: 0 };

const chrome = await browser();

async function once(patient, warm) {
  const context = await chrome.newContext({ viewport: PHONE });
  try {
    const page = await context.newPage();
    if (warm) await page.goto(`${demo}/`);
    await page.addInitScript(() => {
      const seen = {};
      globalThis.seen = seen;
      const look = () => {
        const shown = (selector) => document.querySelector(selector)?.getBoundingClientRect().height > 0;
        const now = performance.now();
        if (!seen.strip && shown('#banner') && shown('#strip')) seen.strip = now;
        if (!seen.section && (shown('#s-plans .line') || shown('#s-allergies .line'))) seen.section = now;
        requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    await page.goto(`${demo}/demo`);
    const line = await context.newCDPSession(page);
    await line.send('Network.enable');
    await line.send('Network.emulateNetworkConditions', SLOW);
    await page.selectOption('#role', 'ambulance');
    await Promise.all([page.waitForURL('**/record/*'), page.click(`button[value="${patient}"]`)]);
    await page.waitForLoadState('load');
    await page.waitForFunction(() => globalThis.seen.section && performance.getEntriesByName('first-contentful-paint').length);
    return await page.evaluate(() => {
      const [navigation] = performance.getEntriesByType('navigation');
      const paint = performance.getEntriesByName('first-contentful-paint')[0].startTime;
      return {
        strip: Math.max(paint, globalThis.seen.strip),
        section: Math.max(paint, globalThis.seen.section),
        asked: navigation.requestStart,
        bytes: navigation.encodedBodySize,
      };
    });
  } finally {
    await context.close();
  }
}

const median = (numbers) => Math.round(numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]);
const rows = [];
for (const [name, patient, warm] of [
  ['George, cold', GEORGE, false], ['George, warm', GEORGE, true], ['Doris, cold', DORIS, false], ['Doris, warm', DORIS, true],
]) {
  const runs = [];
  for (let run = 0; run < RUNS; run += 1) runs.push(await once(patient, warm));
  const late = runs.map((run) => run.section - run.asked - ANSWERED_MS[patient]);
  rows.push(`| ${name} | ${median(runs.map((run) => run.strip))} | ${median(runs.map((run) => run.section))} | ${median(late)} | ${median(runs.map((run) => run.bytes))} |`);
}

const page = await chrome.newPage();
await page.goto(`${demo}/`);
await page.waitForLoadState('load');
const first = await page.evaluate(() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .map((one) => [new URL(one.name).pathname.replace(/[0-9a-f]{16}/, '…'), one.encodedBodySize]));
await chrome.close();
await new Promise((done) => { own.once('exit', done); own.kill(); });
rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });

console.log(`${new Date().toISOString().slice(0, 10)}, ${binary.slice(root.length)}, median of ${RUNS}, milliseconds\n`);
console.log('| look | banner and strip | first clinical section | after its source answered | bytes of the page, compressed |');
console.log('|---|---|---|---|---|');
console.log(rows.join('\n'));
console.log(`\nFirst page, compressed: ${first.map(([name, bytes]) => `${name} ${bytes}`).join(', ')}; together ${first.reduce((sum, [, bytes]) => sum + bytes, 0)} bytes`);
process.exit(0);

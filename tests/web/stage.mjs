// What the files here share: the browser, the demo's address, one look at a record.
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const require = createRequire(join(root, 'target/tools/web/package.json'));
export const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/** Where the demo listens, without a slash at its end. */
export const demo = process.env.TRIBUTARY_DEMO;
/** Screenshots and printed pages end up here. */
export const artefacts = join(root, 'target/web');
mkdirSync(artefacts, { recursive: true });

export const GEORGE = '9990000107';
export const DORIS = '9990000204';
export const HAROLD = '9990000301';
export const AISHA = '9990000409';
export const WINIFRED = '9990000514';

/** What a phone, a tablet and a desk show at once, in CSS pixels. */
export const PHONE = { width: 390, height: 844 };
export const NARROW = { width: 320, height: 640 };
export const DESK = { width: 1280, height: 900 };

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
// Chromium's own sandbox needs a user that may open one; the pages are ours.
const args = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];

/** A browser that keeps nothing. */
export const browser = () => chromium.launch({ executablePath, args });

/** A browser with a profile on disk, and that profile. `clear` removes it. */
export async function profiled(options = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'tributary-profile-'));
  const context = await chromium.launchPersistentContext(profile, { executablePath, args, ...options });
  return { context, profile, clear: () => rmSync(profile, { recursive: true, force: true }) };
}

/** Chooses a person and a role on the first page, and waits until the record is whole. */
export async function look(page, patient, role = '') {
  await choose(page, patient, role);
  await page.waitForLoadState('load');
}

/** The same, without waiting for the end. */
export async function choose(page, patient, role = '') {
  await page.goto(`${demo}/demo`);
  await page.selectOption('#role', role);
  const record = page.waitForURL((url) => /^\/record\//.test(url.pathname), { waitUntil: 'commit' });
  await page.click(`button[value="${patient}"]`, { noWaitAfter: true });
  await record;
}

/** What can be read on the screen, with single blanks. */
export async function words(page, selector = 'body') {
  return squeezed(await page.locator(selector).first().innerText());
}

/** Everything a page holds, folded or not. */
export const source = (page) => page.content();

export const squeezed = (text) => text.replace(/\s+/g, ' ').trim();

/** What axe-core finds wrong by WCAG 2.0, 2.1 and 2.2, A and AA. */
export async function barriers(page) {
  await page.evaluate(axe);
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
  const found = await page.evaluate((values) => axe.run(document, { runOnly: { type: 'tag', values } }), tags);
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`);
}

/** How many CSS pixels the page is wider than its window. */
export const overflow = (page) =>
  page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth));

/** Whether the texts stand in this order. */
export function inOrder(text, ...parts) {
  let from = 0;
  for (const part of parts) {
    const at = text.indexOf(part, from);
    if (at < 0) return `"${part}" is not where it belongs in: ${text}`;
    from = at + part.length;
  }
  return '';
}

/** The files below a folder that hold one of the telltales, in bytes or as UTF-16. */
export function traces(folder, telltales) {
  const found = [];
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const bytes = readFileSync(path);
    for (const word of telltales) {
      const is = bytes.includes(word) || bytes.includes(Buffer.from(word, 'utf16le'));
      if (is) found.push(`${path}: ${word}`);
    }
  }
  return found;
}

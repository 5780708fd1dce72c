// The first paint of a page: it waits for nothing but the page, and nothing that comes later moves it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DORIS, GEORGE, NARROW, PHONE, browser, choose, demo, words } from './stage.mjs';

let chrome;
before(async () => { chrome = await browser(); });
after(async () => { await chrome.close(); });

async function on(options, use) {
  const context = await chrome.newContext({ viewport: PHONE, ...options });
  try {
    return await use(await context.newPage(), context);
  } finally {
    await context.close();
  }
}

/** Holds back every style and script that is a file of the viewer; gives what was asked for. */
async function held(page) {
  const asked = [];
  await page.route('**/viewer/**', (route) => { asked.push(new URL(route.request().url()).pathname); });
  return asked;
}

/** How the banner looks, once something of the page is painted. */
async function painted(page) {
  await page.waitForFunction(() => document.querySelector('#banner')
    && performance.getEntriesByName('first-contentful-paint').length > 0, null, { timeout: 5_000 });
  return page.$eval('#banner', (banner) => {
    const { position, borderBottomWidth, backgroundColor } = getComputedStyle(banner);
    return { position, borderBottomWidth, backgroundColor };
  });
}
const STYLED = { position: 'sticky', borderBottomWidth: '4px', backgroundColor: 'rgb(255, 255, 255)' };

test('the first section is painted below its banner while every other file is held back', async () => {
  await on({}, async (page) => {
    const asked = await held(page);
    await choose(page, GEORGE, 'ambulance');
    await page.waitForFunction(() => document.querySelector('#s-plans')?.innerText.includes('Not for attempted cardiopulmonary resuscitation'), null, { timeout: 5_000 });
    assert.deepEqual(await painted(page), STYLED);
    // What is said to be a difference looks like one.
    assert.equal(await page.$eval('#s-plans', (one) => getComputedStyle(one).borderTopWidth), '4px');
    assert.deepEqual(asked, [], 'and nothing else is asked for');
  });
});

test('so it is without script, in one piece', async () => {
  await on({ javaScriptEnabled: false }, async (page) => {
    const asked = await held(page);
    await choose(page, DORIS, 'ambulance');
    await page.waitForLoadState('load');
    assert.match(await words(page, '#s-allergies'), /Penicillin/i);
    assert.deepEqual(await painted(page), STYLED);
    assert.deepEqual(asked, []);
  });
});

for (const [name, viewport] of [['a phone', PHONE], ['320 pixels', NARROW]]) {
  test(`on ${name} nothing that was painted moves while the rest of a page arrives`, async () => {
    await on({ viewport }, async (page, context) => {
      await page.addInitScript(() => {
        globalThis.shifts = [];
        new PerformanceObserver((list) => {
          for (const { startTime, value, sources } of list.getEntries()) {
            globalThis.shifts.push(`${startTime.toFixed()}: ${value} ${sources.map(({ node }) => node?.id || node?.className || node?.nodeName)}`);
          }
        }).observe({ type: 'layout-shift', buffered: true });
      });
      await page.goto(`${demo}/`);
      // In one piece: what sources add to a page that grows is looked at elsewhere.
      await page.evaluate(() => document.querySelectorAll('[name=live]').forEach((one) => one.remove()));
      const line = await context.newCDPSession(page);
      await line.send('Network.enable');
      await line.send('Network.emulateNetworkConditions', { offline: false, latency: 100, downloadThroughput: 10_000, uploadThroughput: 50_000 });
      const record = page.waitForURL(/\/record\//, { waitUntil: 'commit' });
      await page.click(`button[value="${GEORGE}"]`, { noWaitAfter: true });
      await record;
      // Painted while it arrives, or there would be nothing to move.
      assert.deepEqual(await painted(page), STYLED);
      assert.equal(await page.evaluate(() => document.readyState), 'loading');
      await page.waitForLoadState('load');
      await page.waitForTimeout(300);
      assert.equal(await page.locator('.line').first().isVisible(), true);
      assert.deepEqual(await page.evaluate(() => globalThis.shifts), []);
    });
  });
}

test('no page is refused what stands in it', async () => {
  await on({}, async (page) => {
    const refused = [];
    page.on('console', (said) => { if (said.type() === 'error' && /Content.Security.Policy/i.test(said.text())) refused.push(said.text()); });
    for (const path of ['/', '/demo', '/record/zz']) await page.goto(demo + path);
    await choose(page, DORIS, 'ucr-clinician');
    await page.waitForLoadState('load');
    await page.evaluate(() => { globalThis.print = () => {}; });
    await page.click('form[action="/print"] button');
    await page.waitForLoadState('load');
    await page.click('.out');
    await page.waitForLoadState('load');
    assert.match(await words(page), /You are signed out/);
    assert.deepEqual(refused, []);
    // It would be told of: another style in the same page is refused.
    await page.evaluate(() => { document.head.append(Object.assign(document.createElement('style'), { textContent: 'p{}' })); });
    await page.waitForTimeout(200);
    assert.equal(refused.length, 1, refused.join());
  });
});

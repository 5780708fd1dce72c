// What needs pages that grow while the sources answer.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DESK, GEORGE, PHONE, browser, choose, demo, words } from './stage.mjs';

let chrome;
/** Whether the first bytes of a record come before its last source: found out, not believed. */
let grows;

before(async () => {
  chrome = await browser();
  const began = performance.now();
  const body = new URLSearchParams({ nhs: GEORGE, role: 'ambulance', live: '1' });
  const answer = await fetch(`${demo}/record`, { method: 'POST', body });
  const firstMs = performance.now() - began;
  await answer.text();
  // George's practice takes 2.4 seconds.
  grows = firstMs < 2_000;
});
after(async () => { await chrome.close(); });

/** A test of a page that grows. Where the product says that they do (GROWS=1), it may not be left out. */
function growing(name, use, viewport = PHONE) {
  test(name, async (t) => {
    if (!grows) {
      assert.ok(process.env.GROWS !== '1', 'the page came in one piece');
      return t.skip('pages come in one piece');
    }
    const context = await chrome.newContext({ viewport });
    try {
      const page = await context.newPage();
      await use(page, context);
    } finally {
      await context.close();
    }
  });
}

const until = (page, wanted, selector = 'body') => page.waitForFunction(
  ([selector, wanted]) => document.querySelector(selector)?.innerText.includes(wanted), [selector, wanted]);

/**
 * What can be read on the page at the moment at which all of this stands in it first. It is looked at from within: on a
 * busy machine a question from outside comes when the practice has answered.
 */
async function watch(page, selector, ...wanted) {
  await page.addInitScript(([selector, wanted]) => {
    new MutationObserver(() => {
      const there = document.querySelector(selector)?.innerText ?? '';
      if (globalThis.seen || !wanted.every((words) => there.includes(words))) return;
      const read = (place) => document.querySelector(place)?.innerText.replace(/\s+/g, ' ').trim();
      globalThis.seen = { all: read('body'), plans: read('#s-plans'), strip: read('#strip') };
    }).observe(document, { childList: true, subtree: true, characterData: true });
  }, [selector, wanted]);
  return async () => (await page.waitForFunction(() => globalThis.seen)).jsonValue();
}

growing('P1: banner and strip come first, and the allergies are being checked', async (page) => {
  const seen = await watch(page, '#banner', 'ASHWORTH, George');
  await choose(page, GEORGE, 'ambulance');
  const { all } = await seen();
  assert.match(all, /ASHWORTH, George/);
  assert.match(all, /999 000 0107/);
  assert.match(all, /Checking/);
  assert.doesNotMatch(all, /No known allergies/);
});

growing('P1: the specialist\'s plan is read while the practice is still being asked', async (page) => {
  const seen = await watch(page, '#s-plans', 'Not for attempted cardiopulmonary resuscitation',
    'convey to Mersey Specialist Cancer Centre');
  await choose(page, GEORGE, 'ambulance');
  const { all, plans, strip } = await seen();
  assert.match(plans, /02-Mar-2026/);
  assert.doesNotMatch(all, /Records disagree about CPR/);
  assert.match(strip, /Riverside Surgery: Checking/);
});

growing('P1: the disagreement is announced assertively, and once', async (page) => {
  await page.addInitScript(() => {
    globalThis.alarms = [];
    addEventListener('DOMContentLoaded', () => {}, { once: true });
    new MutationObserver(() => {
      const said = document.querySelector('[aria-live=assertive]')?.textContent.trim();
      if (said && said !== globalThis.lastAlarm) globalThis.alarms.push(said);
      globalThis.lastAlarm = said;
    }).observe(document, { childList: true, subtree: true, characterData: true });
  });
  await choose(page, GEORGE, 'demo');
  await page.waitForLoadState('load');
  await page.waitForFunction(() => globalThis.alarms.length > 0, null, { timeout: 5_000 });
  const alarms = (await page.evaluate(() => globalThis.alarms)).filter((said) => /CPR/.test(said));
  assert.equal(alarms.length, 1, JSON.stringify(alarms));
  assert.match(await words(page), /No known allergies/);
  assert.match(await words(page, '#strip'), /4 of 4/);
});

for (const [name, viewport] of [['a phone', PHONE], ['a desk', DESK]]) {
  growing(`what is being read on ${name} does not move when a source answers late`, async (page) => {
    await choose(page, GEORGE, 'ambulance');
    await until(page, 'convey to Mersey Specialist Cancer Centre', '#s-plans');
    const line = page.locator('#s-medications').getByText('Midazolam').first();
    await line.evaluate((one) => one.scrollIntoView({ block: 'center' }));
    const before = await line.boundingBox();
    await page.waitForLoadState('load');
    await until(page, 'Paracetamol', '#s-medications');
    await page.waitForTimeout(300);
    const after = await page.locator('#s-medications').getByText('Midazolam').first().boundingBox();
    assert.ok(Math.abs(after.y - before.y) <= 2, `it moved from ${before.y} to ${after.y}`);
  }, viewport);
}

growing('focus is never moved by what arrives', async (page) => {
  await choose(page, GEORGE, 'ambulance');
  await until(page, 'convey to Mersey Specialist Cancer Centre', '#s-plans');
  const summary = page.locator('#s-plans summary').first();
  await summary.focus();
  const before = await page.evaluate(() => document.activeElement.textContent);
  await page.waitForLoadState('load');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), before);
});

growing('cut off mid-stream, the page says what it lacks and nothing reads as known', async (page, context) => {
  await choose(page, GEORGE, 'ambulance');
  await until(page, 'convey to Mersey Specialist Cancer Centre', '#s-plans');
  await context.setOffline(true);
  await page.waitForTimeout(3_000);
  const all = await words(page);
  assert.match(all, /No connection since|connection was lost|Checking/i);
  assert.doesNotMatch(all, /No known allergies/);
  assert.match(all, /convey to Mersey Specialist Cancer Centre/);
});

growing('who turns out to have died while sources answer is shown so: other colour, other pattern', async (page) => {
  await choose(page, GEORGE, 'ambulance');
  await until(page, 'ASHWORTH, George', '#banner');
  const look = () => page.$eval('#banner', (banner) => {
    const { backgroundImage, borderBottomStyle } = getComputedStyle(banner);
    return [banner.className, backgroundImage === 'none', borderBottomStyle];
  });
  assert.deepEqual(await look(), ['banner', true, 'solid']);
  // As the product sends it: what tells of the death, after the shell.
  await page.evaluate(() => {
    const piece = document.createElement('template');
    Object.assign(piece.dataset, { look: 'banner deceased', place: 'banner' });
    const died = document.createElement('p');
    died.textContent = 'Died 03-Mar-2026';
    piece.content.append(...document.querySelector('#banner').cloneNode(true).childNodes, died);
    document.body.append(piece, document.createComment(''));
  });
  await until(page, 'Died 03-Mar-2026', '#banner');
  assert.deepEqual(await look(), ['banner deceased', false, 'double']);
});

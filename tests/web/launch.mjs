// A page that another system opens: in a window, from a form, in a frame; and what of it stays behind.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { GEORGE, chromium, profiled, traces, words } from './stage.mjs';

const pages = process.env.TRIBUTARY_PAGES;
const system = process.env.TRIBUTARY_SYSTEM;
const told = async (what) => (await fetch(`${system}/${what}`)).text();
/** The other system's own page, without a server of its own. */
const EPR = 'https://epr.example.test';
const html = (body) => ({ contentType: 'text/html', headers: { 'cache-control': 'no-store' }, body: `<!doctype html><title>EPR</title>${body}` });
// The certificate is of an authority of the test's own; the frame leads from a public name to this machine.
const args = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
  '--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests'];
const browser = () => profiled({ ignoreHTTPSErrors: true, args });
const OPENED = /\/launch\/[\w-]+$/;

/** What nobody may find afterwards. */
const SECRETS = [GEORGE, '999 000 0107', 'ASHWORTH', 'Ashworth', 'Okoro'];

async function left({ context, profile, clear }, more = []) {
  await context.pages()[0]?.waitForTimeout(500);
  await context.close();
  try {
    assert.ok(readdirSync(profile).length > 5, 'there is a profile');
    return traces(profile, [...SECRETS, ...more]).map((one) => one.slice(profile.length));
  } finally {
    clear();
  }
}

/** The visit that the page shows in its forms. */
const visit = (page) => page.locator('#visit input[name=visit]').inputValue();

test('an offered address opens the record of that patient for that person, once', async () => {
  const kept = await browser();
  const page = kept.context.pages()[0];
  const address = await told('address');
  assert.match(address, OPENED);
  await page.goto(address, { waitUntil: 'load' });
  const shown = await words(page);
  assert.match(shown, /ASHWORTH/);
  assert.match(shown, /Opened from another system for Ada Okoro, Community nurse, Mersey Community Trust/);
  assert.match(shown, /Is this the right patient\?/);
  assert.match(page.url(), OPENED);
  assert.doesNotMatch(await page.title(), /ASHWORTH|999/);
  assert.deepEqual(await kept.context.cookies(), []);
  const secret = await visit(page);
  assert.ok(secret.length > 200);
  await page.goto('about:blank');
  await page.goBack({ waitUntil: 'commit' }).catch(() => {});
  await page.waitForTimeout(300);
  assert.doesNotMatch(await page.locator('body').innerText(), /ASHWORTH|999 000 0107/, 'back shows nothing');
  await page.goto(address);
  assert.match(await words(page), /No record was opened/);
  assert.deepEqual(await left(kept, [secret]), []);
});

test('a signed form opens it too, and the form stays nowhere', async () => {
  const kept = await browser();
  const page = kept.context.pages()[0];
  const token = await told('form');
  await page.route(`${EPR}/**`, (route) => route.fulfill(html(`<form method="post" action="${pages}/launch" autocomplete="off"><input type="hidden" name="launch" value="${token}"><button>Shared record</button></form>`)));
  await page.goto(`${EPR}/patient`);
  await page.click('button');
  await page.waitForURL(OPENED);
  await page.waitForLoadState('load');
  assert.match(await words(page), /ASHWORTH/);
  // The same form again is refused, on a page with an address of its own.
  await page.goto(`${EPR}/patient`);
  await page.click('button');
  await page.waitForURL(/\/refused\/unproven$/);
  assert.match(await words(page), /No record was opened/);
  assert.deepEqual(await left(kept, [token.split('.')[1].slice(0, 60), token.split('.')[2].slice(0, 60)]), []);
});

test('what the page asks for afterwards is of the same visit', async () => {
  const kept = await browser();
  const page = kept.context.pages()[0];
  await page.goto(await told('address'), { waitUntil: 'load' });
  const secret = await visit(page);
  const first = page.url();
  await page.evaluate(() => { globalThis.print = () => {}; });
  await page.click('form[action="/print"] button');
  await page.waitForURL((url) => OPENED.test(url.pathname) && url.href !== first);
  await page.waitForLoadState('load');
  assert.match(await words(page), /asked for this page to be printed/);
  const sheet = await page.locator('.sheet').textContent();
  assert.match(sheet, /Printed .* by Ada Okoro, Community nurse, Mersey Community Trust for direct care/);
  const second = page.url();
  const answer = page.waitForResponse((response) => OPENED.test(response.url()) && response.url() !== second);
  await page.locator('button.document').first().click();
  assert.equal((await answer).status(), 200, 'the document');
  assert.deepEqual(await left(kept, [secret]), []);
});

test('a page of the allowed origin frames it, and no other does', async () => {
  const kept = await browser();
  const page = kept.context.pages()[0];
  let address = await told('address');
  await page.route(/https:\/\/(epr|other)\.example\.test\//, (route) => route.fulfill(html(`<iframe src="${address}" width="800" height="600"></iframe>`)));
  await page.goto(`${EPR}/frame`, { waitUntil: 'load' });
  const frame = page.frameLocator('iframe');
  await frame.locator('#banner').waitFor();
  assert.match(await frame.locator('body').innerText(), /ASHWORTH/);
  // Its buttons work there.
  await frame.locator('form[action="/print"] button').click();
  await frame.locator('[data-print]').waitFor({ state: 'attached' });
  address = await told('address');
  await page.goto('https://other.example.test/frame', { waitUntil: 'load' });
  await page.waitForTimeout(500);
  for (const inner of page.frames().slice(1)) {
    assert.doesNotMatch(await inner.content().catch(() => ''), /ASHWORTH|999 000 0107/, 'nothing of it is shown');
  }
  assert.deepEqual(await left(kept), []);
});

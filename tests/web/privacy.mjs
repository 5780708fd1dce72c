// What stays behind: nothing, neither in the browser's stores nor in its profile on disk.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { GEORGE, demo, look, profiled, traces, words } from './stage.mjs';

/** What only George's record holds, as a profile could keep it. */
const WORDS = ['Ashworth', 'ASHWORTH', 'Midazolam', 'midazolam', 'Mersey Specialist'];
const NUMBER = ['9990000107', '999 000 0107'];

/** What a profile holds after a look at a record. */
async function left(telltales) {
  const { context, profile, clear } = await profiled();
  try {
    const page = context.pages()[0] ?? await context.newPage();
    await page.goto(`${demo}/`);
    await look(page, GEORGE, 'ambulance');
    assert.match(await words(page), /ASHWORTH/);
    await page.waitForTimeout(500);
    await context.close();
    assert.ok(readdirSync(profile).length > 5, 'there is a profile');
    return traces(profile, telltales).map((one) => one.slice(profile.length));
  } finally {
    clear();
  }
}

test('the profile on disk holds no name and no medicine', async () => {
  assert.deepEqual(await left(WORDS), []);
});

// Chromium writes the body of a form that led to a page into its session file, so no form leads to one.
test('the profile on disk holds no NHS number', async () => {
  assert.deepEqual(await left(NUMBER), []);
});

test('nor does a number that was mistyped stay there', async () => {
  const { context, profile, clear } = await profiled();
  try {
    const page = context.pages()[0] ?? await context.newPage();
    await page.goto(`${demo}/`);
    await page.fill('#nhs', '9990000108');
    await page.click('button.nhsuk-button');
    await page.waitForURL(/\/record\//);
    assert.match(await words(page), /Enter a real NHS number/);
    await page.waitForTimeout(500);
    await context.close();
    assert.deepEqual(traces(profile, ['9990000108']).map((one) => one.slice(profile.length)), []);
  } finally {
    clear();
  }
});

test('the search finds what is there', () => {
  // A search that finds nothing proves nothing: the same one over the sources finds them.
  assert.ok(traces(new URL('../../mock-providers/patients/p1-george-ashworth/', import.meta.url).pathname, [...WORDS, ...NUMBER]).length > 3);
});

test('storage, caches, cookies and workers are empty', async () => {
  const { context, clear } = await profiled();
  try {
    const page = context.pages()[0] ?? await context.newPage();
    await look(page, GEORGE, 'ambulance');
    const kept = await page.evaluate(async () => ({
      local: localStorage.length,
      session: sessionStorage.length,
      databases: (await indexedDB.databases()).length,
      caches: globalThis.caches ? (await caches.keys()).length : 0,
      workers: navigator.serviceWorker ? (await navigator.serviceWorker.getRegistrations()).length : 0,
      cookies: document.cookie,
    }));
    assert.deepEqual(kept, { local: 0, session: 0, databases: 0, caches: 0, workers: 0, cookies: '' });
    assert.deepEqual(await context.cookies(), []);
  } finally {
    await context.close();
    clear();
  }
});

test('every answer that names a patient forbids keeping it', async () => {
  const { context, clear } = await profiled();
  try {
    const page = context.pages()[0] ?? await context.newPage();
    const answers = [];
    page.on('response', (response) => answers.push(response));
    await look(page, GEORGE, 'ambulance');
    const record = answers.find((answer) => new URL(answer.url()).pathname.startsWith('/record/'));
    assert.match(record.headers()['cache-control'], /no-store/);
    assert.equal(record.headers()['referrer-policy'], 'no-referrer');
    assert.match(record.headers()['content-security-policy'], /default-src 'none'/);
    for (const answer of answers) assert.doesNotMatch(answer.url(), /999|ashworth/i);
  } finally {
    await context.close();
    clear();
  }
});

test('back from the search shows no record', async () => {
  const { context, clear } = await profiled();
  try {
    const page = context.pages()[0] ?? await context.newPage();
    await look(page, GEORGE, 'ambulance');
    await page.goto(`${demo}/`);
    await page.goBack({ waitUntil: 'commit' }).catch(() => {});
    await page.waitForTimeout(300);
    const shown = await page.locator('body').innerText().catch(() => '');
    assert.doesNotMatch(shown, /ASHWORTH|Midazolam|999 000 0107/);
  } finally {
    await context.close();
    clear();
  }
});

test('without the network a page says so, and nothing is asked of it again', async (t) => {
  const { context, clear } = await profiled();
  try {
    const page = context.pages()[0] ?? await context.newPage();
    await look(page, GEORGE, 'ambulance');
    await context.setOffline(true);
    const notice = page.locator('#notice');
    if (await notice.count() === 0) return t.skip('the page has no place for it yet');
    await notice.waitFor({ state: 'visible', timeout: 5_000 });
    assert.match(await notice.innerText(), /No connection since \d\d:\d\d/);
    assert.match(await words(page), /ASHWORTH/);
  } finally {
    await context.close();
    clear();
  }
});

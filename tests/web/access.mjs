// For everybody: keyboard, screen reader rules, small and enlarged screens, paper.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  AISHA, DESK, DORIS, GEORGE, HAROLD, NARROW, PHONE, WINIFRED, artefacts, barriers, browser, demo, look, overflow, words,
} from './stage.mjs';

let chrome;
before(async () => { chrome = await browser(); });
after(async () => { await chrome.close(); });

async function on(options, use) {
  const context = await chrome.newContext(options);
  try {
    return await use(await context.newPage());
  } finally {
    await context.close();
  }
}

test('axe-core finds no barrier on any page', async () => {
  const found = [];
  const note = async (page, name) => {
    for (const barrier of await barriers(page)) found.push(`${name}: ${barrier}`);
  };
  await on({ viewport: DESK }, async (page) => {
    for (const path of ['/', '/demo', '/demo/ops']) {
      await page.goto(demo + path);
      await note(page, path);
    }
    await page.goto(`${demo}/`);
    await page.fill('#nhs', '9990000019');
    await page.click('button[type=submit]');
    await note(page, 'a wrong number');
  });
  const looks = [[GEORGE, 'ambulance'], [DORIS, 'ucr-clinician'], [HAROLD, 'community-nurse'], [AISHA, 'care-manager'],
    [WINIFRED, 'patient'], [GEORGE, '111-handler'], [GEORGE, 'information-governance']];
  await Promise.all(looks.map(([patient, role]) => on({ viewport: PHONE }, async (page) => {
    await look(page, patient, role);
    await note(page, `${patient} as ${role}`);
    if (role !== 'ambulance') return;
    await page.evaluate(() => document.querySelectorAll('details').forEach((one) => { one.open = true; }));
    await note(page, `${patient} as ${role}, unfolded`);
  })));
  await on({ viewport: PHONE }, async (page) => {
    for (const step of ['Who looked?', 'Show me the FHIR']) {
      await look(page, DORIS, '');
      await page.click('.tour-bar summary');
      await page.click(`.tour-bar button:text("${step}")`);
      await page.waitForLoadState('load');
      await note(page, step);
    }
  });
  assert.deepEqual(found, []);
});

test('a record is reached, read and left with the keyboard alone', async () => {
  await on({ viewport: DESK }, async (page) => {
    await page.goto(`${demo}/`);
    const focused = () => page.evaluate(() => {
      const one = document.activeElement;
      return `${one.tagName} ${one.id} ${one.textContent.trim().slice(0, 40)}`;
    });
    await page.keyboard.press('Tab');
    assert.match(await focused(), /Skip to/);
    for (let steps = 0; !/^INPUT nhs/.test(await focused()); steps += 1) {
      assert.ok(steps < 20, 'the box is out of reach');
      await page.keyboard.press('Tab');
    }
    await page.keyboard.type(GEORGE);
    await Promise.all([page.waitForURL('**/record/*'), page.keyboard.press('Enter')]);
    await page.waitForLoadState('load');
    assert.match(await words(page), /ASHWORTH, George/);
    const seen = [];
    for (let steps = 0; steps < 400; steps += 1) {
      await page.keyboard.press('Tab');
      const now = await page.evaluate(() => {
        const one = document.activeElement;
        const box = one.getBoundingClientRect();
        const style = getComputedStyle(one);
        return {
          name: `${one.tagName} ${one.id} ${one.textContent.trim().slice(0, 60)}`,
          at: one === document.body ? -1 : [...document.querySelectorAll('*')].indexOf(one),
          shown: box.width > 0 && (style.outlineStyle !== 'none' || style.boxShadow !== 'none'),
        };
      });
      if (now.at < 0 || seen.some((one) => one.at === now.at)) break;
      seen.push(now);
    }
    assert.ok(seen.length > 10, `${seen.length} stops`);
    assert.deepEqual(seen.filter((one) => !one.shown).map((one) => one.name), [], 'every stop shows its focus');
    assert.deepEqual(seen.map((one) => one.at), seen.map((one) => one.at).toSorted((a, b) => a - b), 'in the order of the page');
    assert.ok(seen.some((one) => /Skip to/.test(one.name)), 'a way past the head');
  });
});

test('320 pixels: nothing is cut off and nothing scrolls sideways', async () => {
  for (const [patient, role] of [[GEORGE, 'ambulance'], [DORIS, 'ucr-clinician']]) {
    await on({ viewport: NARROW }, async (page) => {
      await page.goto(`${demo}/demo`);
      assert.equal(await overflow(page), 0, 'the first page');
      await look(page, patient, role);
      assert.equal(await overflow(page), 0, `${patient} as ${role}`);
      const cut = await page.evaluate(() => [...document.querySelectorAll('h1, h2, h3, .number, dd')]
        .filter((one) => one.getClientRects().length && getComputedStyle(one).textOverflow === 'ellipsis' && one.scrollWidth > one.clientWidth)
        .map((one) => one.textContent));
      assert.deepEqual(cut, []);
    });
  }
});

test('400 % of a desk: one column, and the banner leaves room to read', async () => {
  // At 400 % a window of 1280 by 1024 pixels is 320 by 256 of the page's own.
  await on({ viewport: { width: 320, height: 256 }, deviceScaleFactor: 4 }, async (page) => {
    await look(page, GEORGE, 'ambulance');
    assert.equal(await overflow(page), 0);
    await page.evaluate(() => scrollTo(0, 600));
    const fixed = await page.evaluate(() => [...document.querySelectorAll('body *')]
      .filter((one) => ['fixed', 'sticky'].includes(getComputedStyle(one).position))
      .map((one) => one.getBoundingClientRect())
      .filter((box) => box.bottom > 0 && box.top < innerHeight && box.width > 0)
      .reduce((sum, box) => sum + Math.min(box.bottom, innerHeight) - Math.max(box.top, 0), 0));
    assert.ok(fixed < 160, `${fixed} of 256 pixels are taken by what stays`);
  });
});

test('text at twice its size stays on the page', async () => {
  await on({ viewport: DESK }, async (page) => {
    await look(page, GEORGE, 'ambulance');
    await page.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
    assert.equal(await overflow(page), 0);
  });
});

test('on paper: who it is, what is missing, every section, no buttons', async () => {
  await on({ viewport: DESK }, async (page) => {
    await look(page, AISHA, 'ucr-clinician');
    await page.emulateMedia({ media: 'print' });
    const paper = await words(page);
    for (const word of ['RAHMAN, Aisha', '999 000 0409', 'Hypertensive disorder', 'Allergies unavailable']) {
      assert.ok(paper.includes(word), `${word} is not on paper`);
    }
    assert.match(paper, /did not answer|timed out/i);
    assert.equal(await page.locator('.tour-bar').isVisible(), false);
    const pdf = await page.pdf({ path: join(artefacts, 'print-aisha.pdf'), format: 'A4' });
    assert.ok(pdf.length > 10_000, `${pdf.length} bytes`);
    await page.screenshot({ path: join(artefacts, 'print-aisha.png'), fullPage: true });
  });
});

test('screenshots of phone, desk and paper are kept', async () => {
  const pages = [[GEORGE, 'ambulance', 'george'], [DORIS, 'ucr-clinician', 'doris'], [HAROLD, 'community-nurse', 'harold'],
    [AISHA, 'ucr-clinician', 'aisha'], [WINIFRED, 'community-nurse', 'winifred']];
  await Promise.all(pages.map(([patient, role, name]) => on({ viewport: PHONE, deviceScaleFactor: 1 }, async (page) => {
    await look(page, patient, role);
    await page.screenshot({ path: join(artefacts, `phone-${name}.png`) });
    await page.screenshot({ path: join(artefacts, `phone-${name}-whole.png`), fullPage: true });
    await page.setViewportSize(DESK);
    await page.screenshot({ path: join(artefacts, `desktop-${name}.png`), fullPage: true });
    writeFileSync(join(artefacts, `print-${name}.pdf`), await page.pdf({ format: 'A4' }));
  })));
  await on({ viewport: PHONE }, async (page) => {
    for (const [path, name] of [['/demo', 'tour'], ['/', 'search'], ['/demo/ops', 'ops']]) {
      await page.goto(demo + path);
      await page.screenshot({ path: join(artefacts, `phone-${name}.png`), fullPage: true });
    }
  });
});

// The stories on the screen, in every role: what must be read there, and what must be nowhere.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AISHA, DORIS, GEORGE, HAROLD, WINIFRED, browser, inOrder, look, source, words } from './stage.mjs';

let chrome;
before(async () => { chrome = await browser(); });
after(async () => { await chrome.close(); });

/** Looks in each role at once: the broker asks each source once, and nobody waits twice. */
async function each(roles, patient, check) {
  await Promise.all(roles.map(async (role) => {
    const context = await chrome.newContext();
    try {
      const page = await context.newPage();
      await look(page, patient, role);
      // Addresses and titles end up in histories.
      lacks(`${page.url()} ${await page.title()}`, [/999/, /ashworth|unsworth|pickering|rahman|clegg/i], role);
      await check(page, role);
    } finally {
      await context.close();
    }
  }));
}

function has(text, wanted, where) {
  for (const one of wanted) {
    const is = one instanceof RegExp ? one.test(text) : text.includes(one);
    assert.ok(is, `${where}: ${one} is missing in: ${text}`);
  }
}

function lacks(text, unwanted, where) {
  for (const one of unwanted) {
    const is = one instanceof RegExp ? one.test(text) : text.includes(one);
    assert.ok(!is, `${where}: ${one} stands in: ${text}`);
  }
}

/** Words that would make silence an absence. */
const SILENCE = [/\bNone\b/, /\bno data\b/i, /\bnothing known\b/i];
const CLINICIANS = ['ambulance', 'ucr-clinician', 'community-nurse', 'gp', 'demo'];
const RESTRICTED = ['pharmacist', 'care-manager', 'social-worker'];

test('P1: the crew reads the plans, the conflict and where to convey', async () => {
  await each(CLINICIANS, GEORGE, async (page, role) => {
    has(await words(page, '#banner'), ['ASHWORTH, George', '11-Feb-1953 (73y)', '999 000 0107'], role);
    has(await words(page, '#strip'), ['4 of 4'], role);
    const all = await words(page);
    has(all, ['Records disagree about CPR', 'Check the form and ask'], role);
    const plans = await words(page, '#s-plans');
    has(plans, ['ReSPECT', 'End of life care plan', 'Home', 'Treatment escalation plan',
      'convey to Mersey Specialist Cancer Centre'], role);
    assert.equal(inOrder(plans, 'Not for attempted cardiopulmonary resuscitation', '02-Mar-2026', '20-Oct-2025'), '', role);
    has(await words(page, '#s-flags'), ['Just in case medicines are in the home'], role);
    has(await words(page, '#s-allergies'), ['No known drug allergy', '18-Jan-2026', 'Mersey Royal'], role);
    has(await words(page, '#s-medications'), ['Midazolam 10mg/2ml', 'Morphine 10mg/1ml'], role);
    lacks(all, SILENCE, role);
  });
});

// Entries under a label that they do not see may exist: whoever may not see everything is never told that there is
// nothing (decision 25).
test('P1: who might not be shown an entry is not told that there is none', async () => {
  await each(['ambulance', 'gp'], GEORGE, async (page, role) => {
    const allergies = await words(page, '#s-allergies');
    has(allergies, ['Allergy check incomplete', 'No known drug allergy'], role);
    lacks(allergies, ['No known allergies'], role);
  });
});

test('P1: the demo\'s own role, from which nothing is withheld, reads No known allergies', async () => {
  await each(['demo'], GEORGE, async (page, role) => {
    has(await words(page, '#s-allergies'), ['No known allergies'], role);
  });
});

test('P1: a call handler learns that a plan exists, and nothing of it', async () => {
  await each(['111-handler'], GEORGE, async (page, role) => {
    const all = await source(page);
    has(all, ['ASHWORTH, George'], role);
    lacks(all, ['Midazolam', 'Morphine', 'lung cancer', 'Cough', 'Emergency admission'], role);
  });
});

test('P1: a home carer reads medicines and allergies, and no diagnosis', async () => {
  await each(['home-carer'], GEORGE, async (page, role) => {
    const all = await source(page);
    has(all, ['ASHWORTH, George', 'No known'], role);
    lacks(all, ['lung cancer', 'ReSPECT', 'Emergency admission'], role);
  });
});

test('P2: the anaphylaxis is first, and the record that knows of no allergy is named', async () => {
  await each(['ucr-clinician', 'demo'], DORIS, async (page, role) => {
    const all = await words(page);
    has(all, ['UNSWORTH, Doris', '999 000 0204', 'Known allergies'], role);
    const allergies = await words(page, '#s-allergies');
    assert.equal(inOrder(allergies, 'Allergy to penicillin', '02-Nov-2024', '15-Jan-2025'), '', role);
    has(allergies, [/severe/i, /anaphylaxis/i, /high/i, /rash/i, 'No known allergy', '12-Mar-2019'], role);
    lacks(allergies, [/unconfirmed/i], role);
    has(await words(page, '#s-medications'), ['Amoxicillin 500mg capsules'], role);
    lacks(all, SILENCE, role);
  });
});

test('P2: whoever takes her for free of allergies has not read this page', async () => {
  await each(['care-manager', 'home-carer', 'patient'], DORIS, async (page, role) => {
    const all = await words(page);
    has(all, ['Known allergies', 'Allergy to penicillin'], role);
    lacks(all, ['No known allergies'], role);
  });
});

test('P3: four truths about his tablets, each with its source and date', async () => {
  await each(['community-nurse', 'gp'], HAROLD, async (page, role) => {
    const all = await words(page);
    has(all, ['PICKERING, Harold', /letters waiting to be filed/], role);
    const medicines = await words(page, '#s-medications');
    has(medicines, ['Warfarin 3mg tablets', 'Apixaban 5mg tablets', 'Furosemide 20mg tablets',
      'Furosemide 40mg tablets', 'Metformin 500mg tablets', 'Codeine 30mg tablets'], role);
    has(medicines, [/copy of (the GP|another source's) entry, out of date/], role);
    lacks(all, SILENCE, role);
  });
});

test('P3: a line that is one source and its copy says 1 source + 1 copy', async () => {
  await each(['community-nurse'], HAROLD, async (page, role) => {
    has(await words(page, '#s-medications'), ['1 source + 1 copy'], role);
  });
});

// The national restricted view holds current medicines, and what a hospital stopped lately: a practice that has not heard
// of it must not read as current unopposed.
test('P3: a pharmacist is told that only a part of the medicines is shown', async () => {
  await each(['pharmacist'], HAROLD, async (page, role) => {
    has(await words(page, '#s-medications'),
      ['Warfarin 3mg tablets', /current medicines, and those stopped in the last 90 days/i], role);
  });
});

test('P3: both codes of one medicine are found where it comes from', async () => {
  await each(['community-nurse'], HAROLD, async (page, role) => {
    has(await source(page), ['325278007', '42084911000001109'], role);
  });
});

test('P4: half the sources are silent, and nothing reads as none', async () => {
  await each(['ucr-clinician', 'demo'], AISHA, async (page, role) => {
    const strip = await words(page, '#strip');
    assert.equal(inOrder(strip, 'Mersey Royal', 'Riverside Surgery', 'Mersey Community Trust'), '', role);
    has(strip, [/did not answer/i, /some information withheld/i, /switched off|referrals/i], role);
    has(await words(page, '#s-allergies'), ['Allergies unavailable'], role);
    has(await words(page, '#s-problems'), ['Hypertensive disorder', /withheld/i], role);
    has(await words(page), ['Bengali interpreter', 'Home care package, 2 visits a day'], role);
    lacks(await words(page), SILENCE, role);
  });
});

test('P4: a care home sees what it needs, and is told what it is not shown', async () => {
  await each(RESTRICTED, AISHA, async (page, role) => {
    const all = await words(page);
    has(all, ['RAHMAN, Aisha', 'Bengali interpreter', 'Allergies unavailable', 'Paracetamol 500mg tablets',
      'Hypertensive disorder', 'Community nurse visit', 'Home care package', 'Not shown for your role'], role);
    lacks(all, SILENCE, role);
  });
});

test('P5: what the patient does not let her practice share is said to be withheld', async () => {
  await each(['community-nurse', 'gp'], WINIFRED, async (page, role) => {
    const all = await words(page);
    has(all, ['CLEGG, Winifred', 'Allergies unavailable', /not (allowed to share|share this record)/i], role);
    lacks(all, [...SILENCE, 'Metformin', 'No known allergies'], role);
  });
});

test('information governance sees nothing clinical', async () => {
  await each(['information-governance'], GEORGE, async (page, role) => {
    lacks(await source(page), ['Midazolam', 'lung cancer', 'ReSPECT', 'No known allerg', 'Emergency admission'], role);
  });
});

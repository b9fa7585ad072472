// Drives the sign-in pages as a person does, by field names, whatever order the pages come in.

import { chromium } from 'playwright-core';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const PATIENCE_MS = 20_000;

// Browsers keep their own trust store, which belongs to the user's account and not to a test. So the
// browser ignores certificate errors, and the CA is proved by every HTTP client in these suites instead.
const CONTEXT = { ignoreHTTPSErrors: true };

/** Starts a browser whose contexts share nothing with each other. */
export function launch() {
  return chromium.launch({ executablePath: EXECUTABLE, headless: true, args: FLAGS });
}

/** Starts a browser with a profile folder: private contexts block the cookies hidden frames need. */
export function launchWithProfile(folder) {
  return chromium.launchPersistentContext(folder, {
    executablePath: EXECUTABLE,
    headless: true,
    args: FLAGS,
    ...CONTEXT,
  });
}

/** A context of its own: another person, or the same person on another device. */
export function newContext(browser, options = {}) {
  return browser.newContext({ ...CONTEXT, ...options });
}

/** The pages said no: the text is what the person would read. */
export class SignInRefused extends Error {
  constructor(text, trail) {
    super(`sign-in refused after ${trail.join(' → ') || 'nothing'}: ${text.replace(/\s+/g, ' ').trim()}`);
    this.text = text;
    this.code = text.match(/AADSTS\d+/)?.[0];
    this.trail = trail;
  }
}

/** Someone who uses a pointer. */
export const pointer = {
  type: (page, selector, text) => page.fill(selector, text),
  press: (page, selector) => page.click(selector, { noWaitAfter: true }),
};

/** Someone who only has a keyboard: everything is reached by Tab, in the page's own order. */
export const keyboard = {
  async reach(page, selector) {
    for (let tabs = 0; tabs < 60; tabs += 1) {
      if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`${selector} cannot be reached with Tab`);
  },
  async type(page, selector, text) {
    await keyboard.reach(page, selector);
    await page.keyboard.press('Control+A');
    await page.keyboard.type(text);
  },
  async press(page, selector) {
    await keyboard.reach(page, selector);
    await page.keyboard.press('Enter');
  },
};

const action = (value) => `[name="action"][value="${value}"]`;

/**
 * Opens an address and answers every page until the browser is sent to the application. `start` is the
 * address, or a function that makes the page leave for the server at `origin`.
 *
 * Returns where it was sent ({ url, method, body }) and the trail of pages on the way. Nothing needs to
 * listen at the application's address: the request itself is the answer. `delivered` tells, later, whether
 * something did.
 *
 * `to(url)` says which addresses end the journey: by default any other origin, or My Apps.
 * `at(kind, page, text)` is called at each page before it is answered.
 */
export async function signIn(page, start, who, options = {}) {
  const { to, at, consent = 'accept', hands = pointer, origin = new URL(start).origin } = options;
  const isEnd = to ?? ((there) => isElsewhere(there, origin) || new URL(there).pathname.startsWith('/myapps'));
  const watch = watchDocuments(page, (there) => isElsewhere(there, origin) && isEnd(there));
  const trail = [];
  let last = null;
  let seen = 0;
  try {
    // Not awaited: the last hop may be an address where nothing listens.
    if (typeof start === 'function') await start();
    else page.goto(start).catch(() => {});
    while (trail.length < 20) {
      if (!(await watch.moves(seen, PATIENCE_MS))) {
        throw new Error(`nothing more happened at ${page.url()} after ${trail.join(' → ')}: ${last?.text ?? ''}`);
      }
      if (watch.arrival) {
        const { address, ...arrival } = watch.arrival;
        return { ...arrival, url: await address, trail };
      }
      seen = watch.documents;

      let view = await look(page);
      // The next document is under way, and the one that was answered still there.
      for (let turn = 0; turn < 100 && view && view.document === last?.document && !watch.arrival; turn += 1) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        view = await look(page);
      }
      if (!view || watch.arrival) continue;
      if (view.kind === 'relay') {
        // form_post: with scripts the page submits itself, without them the person presses the button.
        if (!(await watch.moves(seen, 1_500))) await hands.press(page, 'form [type="submit"], form button');
        continue;
      }
      await at?.(view.kind, page, view.text);
      // A device waits elsewhere; here nothing more happens.
      if (view.kind === 'done') return { url: page.url(), method: 'GET', body: null, trail };
      if (view.kind === 'other' && isEnd(page.url())) {
        return { url: page.url(), method: 'GET', body: null, trail };
      }
      if (view.kind === 'other' || view.kind === 'error' || isSameQuestion(view, last)) {
        throw new SignInRefused(view.text, trail);
      }
      trail.push(view.kind);
      last = view;
      await answer(page, view, who, { consent, hands, trail });
    }
    throw new Error(`the pages go round in a circle: ${trail.join(' → ')}`);
  } finally {
    watch.stop();
  }
}

function isElsewhere(url, origin) {
  return /^https?:/.test(url) && new URL(url).origin !== origin;
}

/** The same question again means that the answer was not accepted; only consents come in different kinds. */
function isSameQuestion(view, last) {
  return view.kind === last?.kind && (view.kind !== 'consent' || view.text === last.text);
}

async function answer(page, view, who, { consent, hands, trail }) {
  switch (view.kind) {
    case 'name':
      await hands.type(page, '[name="login"]', who.userPrincipalName);
      return hands.press(page, action('next'));
    case 'picker': {
      const mine = view.accounts.find(({ text }) => text.toLowerCase().includes(who.userPrincipalName.toLowerCase()));
      return hands.press(page, mine ? `[name="account"][value="${mine.value}"]` : action('other'));
    }
    case 'password':
      if (isAnotherPerson(view.text, who) && view.canGoBack && !trail.includes('back')) {
        trail.push('back');
        return hands.press(page, action('back'));
      }
      await hands.type(page, '[name="password"]', who.password);
      return hands.press(page, action('signin'));
    case 'change':
      await hands.type(page, '[name="new_password"]', who.newPassword);
      await hands.type(page, '[name="confirm_password"]', who.newPassword);
      return hands.press(page, action('change'));
    case 'stay':
      return hands.press(page, action('stay_no'));
    case 'code':
      await hands.type(page, '[name="user_code"]', who.userCode);
      return hands.press(page, action('enter'));
    case 'device':
      return hands.press(page, action('device_yes'));
    case 'consent':
      return hands.press(page, action(consent));
    default:
      throw new Error(`nobody taught the driver what to do at ${view.kind}`);
  }
}

/** A link for somebody else leads to their password page; the person goes back and gives their own name. */
function isAnotherPerson(text, who) {
  const named = text.toLowerCase();
  return /\S+@\S+/.test(named) && !named.includes(who.userPrincipalName.toLowerCase());
}

/** Reads the page; null while the browser is between two documents. */
async function look(page) {
  try {
    return await page.evaluate(() => {
      const has = (selector) => [...document.querySelectorAll(selector)].some((field) => field.type !== 'hidden');
      const can = (value) => has(`[name="action"][value="${value}"]`);
      const text = document.body?.innerText ?? '';
      const kind =
        (has('[name="new_password"]') && 'change') ||
        (has('[name="password"]') && 'password') ||
        (has('[name="login"]') && 'name') ||
        (can('stay_no') && 'stay') ||
        (has('[name="user_code"]') && 'code') ||
        (can('device_yes') && 'device') ||
        (/^Your device is signed in$/m.test(text) && 'done') ||
        (can('accept') && 'consent') ||
        (has('[name="account"]') && 'picker') ||
        (document.querySelector('form input[name="code"], form input[name="error"]') && 'relay') ||
        (/AADSTS\d+/.test(text) && 'error') ||
        'other';
      return {
        document: performance.timeOrigin,
        kind,
        text,
        canGoBack: can('back'),
        accounts: [...document.querySelectorAll('[name="account"]')].map(({ value, innerText }) => ({
          value,
          text: innerText,
        })),
      };
    });
  } catch (error) {
    if (/context was destroyed|navigat|closed|not available/i.test(error.message)) return null;
    throw error;
  }
}

/** Where the browser was sent, with the fragment: requests do not carry it, redirects do. */
async function addressOf(request) {
  const answer = await request.redirectedFrom()?.response();
  return answer?.headers().location ?? request.url();
}

/** Counts documents and catches the request that leaves for the application. */
function watchDocuments(page, isArrival) {
  const watch = { documents: 0, arrival: null };
  const onRequest = (request) => {
    if (watch.arrival || !request.isNavigationRequest() || request.frame() !== page.mainFrame()) return;
    if (isArrival(request.url())) {
      watch.arrival = {
        address: addressOf(request),
        method: request.method(),
        body: request.postData(),
        delivered: request.response().then(Boolean, () => false),
      };
    }
  };
  const onDocument = () => (watch.documents += 1);
  page.on('request', onRequest);
  page.on('domcontentloaded', onDocument);

  /** Whether there is a document after the `seen`-th, or the browser left, before the time is over. */
  watch.moves = async (seen, withinMs) => {
    const deadline = Date.now() + withinMs;
    while (!watch.arrival && watch.documents <= seen) {
      if (Date.now() > deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return true;
  };
  watch.stop = () => {
    page.off('request', onRequest);
    page.off('domcontentloaded', onDocument);
  };
  return watch;
}

// The pages as a person meets them: with a keyboard, on a phone, by screen reader, in light and dark.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { barriers } from './axe.mjs';
import { keyboard, launch, newContext, signIn } from './signin.mjs';
import { application, base, contoso, fabrikam, guest, invite, newMember } from './world.mjs';
import { WebApp } from './web-app.mjs';

const PHONE = { width: 360, height: 740 };
const DESK = { width: 1280, height: 800 };

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** Looks at the page in both sizes and collects what would stop somebody. */
async function inspect(page, name, findings) {
  for (const size of [PHONE, DESK]) {
    await page.setViewportSize(size);
    const where = `${name} at ${size.width}px`;
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (overflow > 0) findings.push(`${where}: scrolls sideways by ${overflow}px`);

    findings.push(...(await barriers(page)).map((barrier) => `${where}: ${barrier}`));
  }
  await page.setViewportSize(PHONE);
  const { language, title } = await page.evaluate(() => ({
    language: document.documentElement.lang,
    title: document.title,
  }));
  if (!language) findings.push(`${name}: no language`);
  if (!title.trim()) findings.push(`${name}: no title`);
}

/** What a device is given before somebody signs in for it. */
async function deviceCodes({ appId }) {
  const body = new URLSearchParams({ client_id: appId, scope: 'openid User.Read' });
  return (await fetch(`${base}/${contoso.id}/oauth2/v2.0/devicecode`, { method: 'POST', body })).json();
}

for (const colorScheme of ['light', 'dark']) {
  describe(`in ${colorScheme}`, () => {
    test('every page of a redemption and a first sign-in is readable on a phone and to a screen reader', async () => {
      const member = await newMember(fabrikam, `page${colorScheme}`);
      const { inviteRedeemUrl } = await invite(contoso, member.userPrincipalName);
      const context = await newContext(browser, { colorScheme, viewport: PHONE });
      const page = await context.newPage();
      const findings = [];
      page.on('console', (message) => {
        if (/Content.Security.Policy/i.test(message.text())) findings.push(`${page.url()}: ${message.text()}`);
      });

      const seen = [];
      const look = (journey) => async (kind, at) => {
        seen.push(`${journey} ${kind}`);
        await inspect(at, `${journey} ${kind}`, findings);
      };
      await signIn(page, inviteRedeemUrl, member, { at: look('redemption') });

      await page.goto(`${base}/myapps/organizations`);
      await inspect(page, 'organisations', findings);
      await page.goto(`${base}/myapps/organizations/leave?tenant=${contoso.id}`);
      await inspect(page, 'leaving', findings);
      assert.match(await page.innerText('h1'), /^Leave /);

      const app = await WebApp.at(contoso, application(contoso, 'web'));
      const { url } = await app.begin();
      await signIn(page, url, member, { at: look('application') });

      const fresh = await (await newContext(browser, { colorScheme, viewport: PHONE })).newPage();
      const colleague = await newMember(contoso, `page${colorScheme}`);
      await signIn(fresh, (await app.begin()).url, colleague, { at: look('sign-in') });

      const codes = await deviceCodes(application(contoso, 'native'));
      const other = await (await newContext(browser, { colorScheme, viewport: PHONE })).newPage();
      await signIn(other, codes.verification_uri, { ...colleague, userCode: codes.user_code }, { at: look('device') });

      assert.deepEqual(findings, []);
      for (const expected of ['device code', 'device device', 'device done', 'redemption password', 'redemption consent', 'redemption other', 'application consent',
        'sign-in name', 'sign-in password', 'sign-in consent']) {
        assert.ok(seen.includes(expected), `${expected} was not met: ${seen.join(', ')}`);
      }
    });

    test('the error page says what happened, to everybody', async () => {
      const page = await (await newContext(browser, { colorScheme, viewport: PHONE })).newPage();
      const app = await WebApp.at(contoso, application(contoso, 'web'));
      const { url } = await app.begin({ redirect_uri: 'http://localhost:5000/elsewhere' });
      await page.goto(url);
      const findings = [];
      await inspect(page, 'error', findings);
      assert.deepEqual(findings, []);
      const text = await page.innerText('body');
      assert.match(text, /AADSTS50011/);
      assert.match(text, /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, 'the correlation id');
      assert.match(text, /\d{4}-\d{2}-\d{2}/, 'the time');
    });

    test('a wrong password is said beside the field, readable to everybody', async () => {
      const page = await (await newContext(browser, { colorScheme, viewport: PHONE })).newPage();
      const member = await newMember(contoso, 'typo');
      const app = await WebApp.at(contoso, application(contoso, 'web'));
      const { url } = await app.begin();
      const refused = await signIn(page, url, { ...member, password: 'wrong' }).catch((error) => error);
      assert.match(refused.message, /refused/);
      const findings = [];
      await inspect(page, 'wrong password', findings);
      assert.deepEqual(findings, []);
      assert.ok(await page.isVisible('[name="password"]'), 'the person can try again');
      assert.equal(await page.inputValue('[name="password"]'), '');
    });
  });
}

test('a guest redeems and signs in with the keyboard alone', async () => {
  const member = await newMember(fabrikam, 'keys');
  const { inviteRedeemUrl, invitedUser } = await invite(contoso, member.userPrincipalName);
  const page = await (await newContext(browser)).newPage();
  await signIn(page, inviteRedeemUrl, member, { hands: keyboard });
  assert.equal((await guest(contoso, invitedUser.id)).externalUserState, 'Accepted');

  const app = await WebApp.at(contoso, application(contoso, 'web'));
  const fresh = await (await newContext(browser)).newPage();
  const { answer } = await app.signIn(fresh, member, {}, { hands: keyboard });
  assert.ok(answer.id_token);
});

test('the cursor waits in the first field of each form', async () => {
  const page = await (await newContext(browser)).newPage();
  const member = await newMember(contoso, 'focus');
  const app = await WebApp.at(contoso, application(contoso, 'web'));
  const first = { name: 'login', password: 'password' };
  const seen = [];
  await signIn(page, (await app.begin()).url, member, {
    at: async (kind, at) => {
      if (!first[kind]) return;
      // A browser moves it when it first draws the page, which is after the page was read.
      await at.waitForFunction((name) => document.activeElement?.getAttribute('name') === name, first[kind]);
      seen.push(kind);
    },
  });
  assert.deepEqual(seen, ['name', 'password']);
});

test('no page is kept by a cache or shown in a frame, and scripts need a nonce', async () => {
  const app = await WebApp.at(contoso, application(contoso, 'web'));
  const response = await fetch((await app.begin()).url);
  assert.match(response.url, new RegExp(`^${base}/`));
  assert.equal(response.status, 200);
  assert.match(response.headers.get('cache-control'), /no-store/);
  const policy = response.headers.get('content-security-policy');
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval/);
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
  assert.match(response.headers.get('referrer-policy') ?? '', /no-referrer|same-origin/);
});

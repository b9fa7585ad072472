// A single-page application with @azure/msal-browser: redirect, refresh, hidden frame, sign-out.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { verifyV1, verifyV2 } from './tokens.mjs';
import { launchWithProfile, signIn } from './signin.mjs';
import { application, authority, base, contoso, fabrikam, guest, host, invite, issuerV1, newMember } from './world.mjs';

const SPA = 'http://localhost:5001';
const spa = application(contoso, 'spa');

// They export their modules only; the ready-made script tags' files lie beside them.
const { resolve } = createRequire(import.meta.url);
const msalFolder = join(dirname(resolve('@azure/msal-browser')), '..');
const graphFolder = join(dirname(resolve('@microsoft/microsoft-graph-client')), '..');
const FILES = {
  '/': ['text/html', new URL('spa/index.html', import.meta.url)],
  '/redirect.html': ['text/html', new URL('spa/redirect.html', import.meta.url)],
  '/msal-browser.min.js': ['text/javascript', join(msalFolder, 'lib/msal-browser.min.js')],
  '/msal-redirect-bridge.min.js': [
    'text/javascript',
    join(msalFolder, 'lib/redirect-bridge/msal-redirect-bridge.min.js'),
  ],
  '/graph-js-sdk.js': ['text/javascript', join(graphFolder, 'graph-js-sdk.js')],
};

describe('a single-page application', () => {
  let site;
  let profile;
  let browser;
  let settings;

  before(async () => {
    site = createServer(async (request, response) => {
      const path = new URL(request.url, SPA).pathname;
      if (path === '/settings.json') {
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(settings));
      } else if (FILES[path]) {
        const [type, file] = FILES[path];
        response.writeHead(200, { 'content-type': type }).end(await readFile(file));
      } else {
        response.writeHead(404).end();
      }
    });
    await new Promise((resolve, reject) => site.once('error', reject).listen(5001, 'localhost', resolve));
  });
  after(() => {
    site.closeAllConnections();
    site.close();
  });

  beforeEach(async () => {
    settings = { clientId: spa.appId, authority: authority(contoso), host };
    // Hidden-frame renewal needs the identity server's cookie in a frame of another site. Chromium blocks
    // those by default, so the profile says, as its user would in the settings, that they are allowed.
    profile = await mkdtemp(join(tmpdir(), 'spa-profile-'));
    await mkdir(join(profile, 'Default'));
    await writeFile(join(profile, 'Default', 'Preferences'), JSON.stringify({ profile: { cookie_controls_mode: 0 } }));
    browser = await launchWithProfile(profile);
  });
  afterEach(async () => {
    await browser.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  });

  /** Opens the application in a new tab: its token cache is the tab's own, the cookies are shared. */
  async function open() {
    const page = await browser.newPage();
    await page.goto(`${SPA}/`);
    await outcome(page);
    return page;
  }

  async function outcome(page) {
    await page.waitForFunction(() => window.outcome, null, { timeout: 20_000 });
    const { result, error } = await page.evaluate(() => window.outcome);
    assert.equal(error, undefined);
    return result;
  }

  /** Signs in by redirect, and returns what MSAL then knows. */
  async function signInByRedirect(page, who, scopes = ['User.Read']) {
    const leave = () => page.evaluate((ask) => {
      setTimeout(() => app.loginRedirect(ask));
    }, { scopes });
    await signIn(page, leave, who, { origin: base, to: (there) => there.startsWith(`${SPA}/`) });
    return outcome(page);
  }

  /** Calls a method of the application in the page; a failure comes back as what MSAL calls it. */
  const call = (page, method, request) => page.evaluate(async ([name, ask]) => {
    try {
      return await app[name](ask.ofFirstAccount ? { ...ask, account: app.getAllAccounts()[0] } : ask);
    } catch ({ name: kind, errorCode, message }) {
      return { kind, errorCode, message };
    }
  }, [method, request]);

  const silently = (page, more = {}) =>
    call(page, 'acquireTokenSilent', { scopes: ['User.Read'], ofFirstAccount: true, ...more });

  const inHiddenFrame = (page, who) =>
    call(page, 'ssoSilent', {
      scopes: ['User.Read'],
      loginHint: who.userPrincipalName,
      redirectUri: `${SPA}/redirect.html`,
    });

  test('a member signs in by redirect, renews by refresh token and by hidden frame, and signs out', async () => {
    const member = await newMember(contoso, 'spa');
    const page = await open();
    const signedIn = await signInByRedirect(page, member);
    assert.equal(signedIn.account.homeAccountId, `${member.id}.${contoso.id}`);
    assert.equal((await verifyV2(signedIn.idToken, contoso, spa.appId)).oid, member.id);
    const access = await verifyV1(signedIn.accessToken, contoso);
    assert.deepEqual([access.appid, access.xms_cc], [spa.appId, ['cp1']]);

    const cached = await silently(page);
    assert.equal(cached.fromCache, true, cached.message);

    const grants = [];
    page.on('request', (request) => {
      if (!new URL(request.url()).pathname.endsWith('/token')) return;
      grants.push(new URLSearchParams(request.postData()).get('grant_type'));
    });
    await page.evaluate(() => {
      for (const key of Object.keys(sessionStorage)) if (/accesstoken/.test(key)) sessionStorage.removeItem(key);
    });
    const renewed = await silently(page);
    assert.equal(renewed.fromCache, false, renewed.message);
    assert.deepEqual(grants, ['refresh_token']);
    assert.equal((await verifyV1(renewed.accessToken, contoso)).oid, member.id);

    const tab = await open();
    const framed = await inHiddenFrame(tab, member);
    assert.ok(framed.idToken, `${framed.errorCode}: ${framed.message}`);
    assert.equal((await verifyV2(framed.idToken, contoso, spa.appId)).oid, member.id);

    const back = page.waitForRequest((request) => request.isNavigationRequest() && request.url().startsWith(SPA));
    await page.evaluate(() => {
      setTimeout(() => app.logoutRedirect({ account: app.getAllAccounts()[0] }));
    });
    await back;
    await page.waitForLoadState();
    await outcome(page);
    assert.equal(await page.evaluate(() => app.getAllAccounts().length), 0);

    const afterwards = await inHiddenFrame(await open(), member);
    assert.equal(afterwards.kind, 'InteractionRequiredAuthError', afterwards.message);
    assert.equal(afterwards.errorCode, 'login_required');
  });

  test('a guest signs in at the tenanted authority, under the home account', async () => {
    const member = await newMember(fabrikam, 'spaguest');
    const { invitedUser } = await invite(contoso, member.userPrincipalName);
    const page = await open();
    const signedIn = await signInByRedirect(page, member);
    assert.equal(signedIn.account.homeAccountId, `${member.id}.${fabrikam.id}`);
    assert.equal(signedIn.account.tenantId, contoso.id);
    const claims = await verifyV2(signedIn.idToken, contoso, spa.appId);
    assert.equal(claims.oid, invitedUser.id);
    assert.equal(claims.idp, issuerV1(fabrikam));
    assert.equal((await guest(contoso, invitedUser.id)).externalUserState, 'Accepted');

    const framed = await inHiddenFrame(await open(), member);
    assert.ok(framed.idToken, `${framed.errorCode}: ${framed.message}`);
    assert.equal((await verifyV2(framed.idToken, contoso, spa.appId)).oid, invitedUser.id);
  });

  test('a hidden frame that would have to ask says so, and the person agrees at a page', async () => {
    const member = await newMember(contoso, 'spaconsent');
    const page = await open();
    await signInByRedirect(page, member);

    const more = { scopes: ['User.ReadBasic.All'], loginHint: member.userPrincipalName };
    const framed = await call(page, 'ssoSilent', { ...more, redirectUri: `${SPA}/redirect.html` });
    assert.equal(framed.kind, 'InteractionRequiredAuthError', framed.message);
    assert.equal(framed.errorCode, 'consent_required');

    const leave = () => page.evaluate((ask) => {
      setTimeout(() => app.acquireTokenRedirect(ask));
    }, more);
    await signIn(page, leave, member, { origin: base, to: (there) => there.startsWith(`${SPA}/`) });
    const agreed = await outcome(page);
    assert.ok(agreed.accessToken);
  });

  test('a member signs in in a window of its own', async () => {
    const member = await newMember(contoso, 'spapopup');
    const page = await open();
    const opened = page.waitForEvent('popup');
    const result = call(page, 'loginPopup', { scopes: ['User.Read'], redirectUri: `${SPA}/redirect.html` });
    const popup = await opened;
    await popup.waitForURL(`${base}/**`);
    await signIn(popup, () => popup.reload(), member, { origin: base, to: (there) => there.startsWith(`${SPA}/`) });
    const signedIn = await result;
    assert.ok(signedIn.idToken, `${signedIn.errorCode}: ${signedIn.message}`);
    assert.equal((await verifyV2(signedIn.idToken, contoso, spa.appId)).oid, member.id);
  });

  test('the Graph client works from the page, as the browser lets it across origins', async () => {
    const member = await newMember(contoso, 'spagraph');
    const page = await open();
    const { accessToken } = await signInByRedirect(page, member, ['User.ReadWrite']);
    const said = await page.evaluate(async ([baseUrl, hostname, token]) => {
      const graph = MicrosoftGraph.Client.init({
        baseUrl,
        customHosts: new Set([hostname]),
        authProvider: (done) => done(null, token),
      });
      await graph.api('/me').patch({ mobilePhone: '+1 555 0100' });
      const me = await graph.api('/me').header('ConsistencyLevel', 'eventual').select('id,mobilePhone').get();
      const { statusCode, code, requestId, headers } = await graph.api('/users').get().catch((error) => error);
      return { me, error: { statusCode, code, requestId }, header: headers?.get('request-id') };
    }, [`${base}/`, new URL(base).hostname, accessToken]);
    assert.deepEqual([said.me.id, said.me.mobilePhone], [member.id, '+1 555 0100']);
    assert.deepEqual([said.error.statusCode, said.error.code], [403, 'Authorization_RequestDenied']);
    assert.ok(said.error.requestId);
    assert.equal(said.header, said.error.requestId, 'the header is shown to scripts');
  });

  test('organizations takes a person of another tenant to that tenant', async () => {
    settings.authority = `${base}/organizations`;
    const member = await newMember(fabrikam, 'spahome');
    const page = await open();
    const signedIn = await signInByRedirect(page, member);
    assert.equal(signedIn.tenantId, fabrikam.id);
    assert.equal(signedIn.account.homeAccountId, `${member.id}.${fabrikam.id}`);
    const claims = await verifyV2(signedIn.idToken, fabrikam, spa.appId);
    assert.equal(claims.oid, member.id);
    assert.ok(!('idp' in claims));

    const renewed = await silently(page, { forceRefresh: true });
    assert.equal(renewed.fromCache, false, renewed.message);
  });
});

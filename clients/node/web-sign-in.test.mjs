// Members of Contoso sign in to Contoso's own web application.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clientInfo, verifyV1, verifyV2 } from './tokens.mjs';
import { launch, newContext, signIn, SignInRefused } from './signin.mjs';
import { application, base, contoso, graphWith, newMember, person } from './world.mjs';
import { WebApp, signInWithMsal } from './web-app.mjs';

const web = application(contoso, 'web');
let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const newPage = async (options) => (await newContext(browser, options)).newPage();

test('openid-client signs a member in, and the ID token is theirs', async () => {
  const carol = person(contoso, 'carol');
  const app = await WebApp.at(contoso, web);
  const { answer, nonce, trail } = await app.signIn(await newPage(), carol);

  const claims = await verifyV2(answer.id_token, contoso, web.appId);
  assert.equal(claims.ver, '2.0');
  assert.equal(claims.tid, contoso.id);
  assert.equal(claims.oid, carol.id);
  assert.equal(claims.nonce, nonce);
  assert.equal(claims.preferred_username, carol.userPrincipalName);
  assert.ok(!('idp' in claims), 'idp is only for those who authenticate elsewhere');
  assert.notEqual(claims.sub, claims.oid);
  assert.deepEqual(clientInfo(answer), { uid: carol.id, utid: contoso.id });
  assert.deepEqual(trail.slice(0, 2), ['name', 'password']);

  const access = await verifyV1(answer.access_token, contoso, ['https://graph.microsoft.com', base,
    '00000003-0000-0000-c000-000000000000']);
  assert.ok(access.scp.split(' ').includes('User.Read'));
  assert.equal(access.appid, web.appId);
  const me = await graphWith(async () => answer.access_token).api('/me').get();
  assert.equal(me.id, carol.id);

  const userInfo = await app.userInfo(answer.access_token, claims.sub);
  assert.equal(userInfo.sub, claims.sub);
});

test('a consent is asked once, and a session needs no second password', async () => {
  const member = await newMember(contoso, 'ada');
  const app = await WebApp.at(contoso, web);
  const page = await newPage();
  const first = await app.signIn(page, member);
  assert.ok(first.trail.includes('consent'), first.trail.join());
  const second = await app.signIn(page, member, { login_hint: member.userPrincipalName });
  assert.ok(!second.trail.includes('consent') && !second.trail.includes('password'), second.trail.join());
  const silent = await app.signIn(page, member, { prompt: 'none' });
  assert.deepEqual(silent.trail, []);
});

for (const javaScriptEnabled of [true, false]) {
  test(`form_post reaches the application with scripts ${javaScriptEnabled ? 'on' : 'off'}`, async () => {
    const member = await newMember(contoso, 'poster');
    const app = await WebApp.at(contoso, web);
    const { url, remembered } = await app.begin({ response_mode: 'form_post' });
    const end = await signIn(await newPage({ javaScriptEnabled }), url, member);
    assert.equal(end.method, 'POST');
    const answer = await app.finish(end, remembered);
    assert.equal((await verifyV2(answer.id_token, contoso, web.appId)).oid, member.id);
  });
}

test('msal-node signs a member in and renews silently', async () => {
  const member = await newMember(contoso, 'mary');
  const { result, nonce, renew, fromCache } = await signInWithMsal(await newPage(), contoso, web, member);
  assert.equal(result.account.homeAccountId, `${member.id}.${contoso.id}`);
  assert.equal((await verifyV2(result.idToken, contoso, web.appId)).nonce, nonce);

  assert.equal((await fromCache()).fromCache, true);
  const renewed = await renew();
  assert.equal(renewed.fromCache, false);
  assert.equal((await verifyV1(renewed.accessToken, contoso)).oid, member.id);
});

test('a wrong password is refused and a cancelled consent is told to the application', async () => {
  const member = await newMember(contoso, 'mallory');
  const app = await WebApp.at(contoso, web);
  const { url } = await app.begin();
  await assert.rejects(signIn(await newPage(), url, { ...member, password: 'wrong' }), (error) =>
    error instanceof SignInRefused && error.trail.includes('password'));

  const end = await signIn(await newPage(), url, member, { consent: 'cancel' });
  const came = new URL(end.url).searchParams;
  assert.equal(came.get('error'), 'access_denied');
  assert.match(came.get('error_description'), /AADSTS65004/);
});

test('a replayed code is refused and takes back what it gave', async () => {
  const member = await newMember(contoso, 'replay');
  const app = await WebApp.at(contoso, web);
  const { url, remembered } = await app.begin();
  const end = await signIn(await newPage(), url, member);
  const answer = await app.finish(end, remembered);
  await assert.rejects(app.finish(end, remembered), (error) =>
    error.error === 'invalid_grant' && error.cause.error_codes.includes(54005));
  await assert.rejects(app.refresh(answer.refresh_token), (error) => error.error === 'invalid_grant');
});

test('an address that is not registered gets a page, never a redirect', async () => {
  const app = await WebApp.at(contoso, web);
  const { url } = await app.begin({ redirect_uri: 'https://evil.example/callback' });
  const response = await fetch(url, { redirect: 'manual' });
  assert.equal(response.status, 400);
  assert.match(response.headers.get('content-type'), /^text\/html/);
  assert.match(await response.text(), /AADSTS50011/);
  assert.ok(!response.headers.has('location'));
});

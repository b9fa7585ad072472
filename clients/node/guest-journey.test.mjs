// The whole journey: a daemon of Contoso invites Bob of Fabrikam; he redeems without JavaScript,
// signs in to Contoso's web application as a guest, renews, and signs out.
//
// The steps depend on each other and run in order; Bob must not be a guest yet, so the journey first
// removes what an earlier run left.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { clientInfo, verifyV1, verifyV2 } from './tokens.mjs';
import { launch, newContext, signIn } from './signin.mjs';
import {
  CALLBACK, MY_APPS, application, base, contoso, fabrikam, graphOf, graphWith, guest, invite,
  issuerV1, mailTo, newMember, newWebApplication, person,
} from './world.mjs';
import { WebApp, signInWithMsal } from './web-app.mjs';

const bob = person(fabrikam, 'bob');
const web = application(contoso, 'web');

describe('Bob of Fabrikam becomes a guest of Contoso', () => {
  let browser;
  let invitation;
  let page; // Bob's browser, scripts off
  let first; // what the web application got

  before(async () => {
    browser = await launch();
    page = await (await newContext(browser, { javaScriptEnabled: false })).newPage();
    const old = await graphOf(contoso).api('/users').filter(`mail eq '${bob.userPrincipalName}'`).select('id').get();
    for (const { id } of old.value) await graphOf(contoso).api(`/users/${id}`).delete();
  });
  after(() => browser.close());

  test('the daemon invites him through Graph', async () => {
    invitation = await invite(contoso, bob.userPrincipalName, {
      invitedUserDisplayName: 'Bob',
      sendInvitationMessage: true,
    });
    assert.equal(invitation.status, 'PendingAcceptance');
    assert.equal(invitation.invitedUserEmailAddress, bob.userPrincipalName);
    assert.equal(invitation.inviteRedirectUrl, MY_APPS);
    assert.notEqual(invitation.invitedUser.id, bob.id, 'the guest is an object of Contoso');
    const redeem = new URL(invitation.inviteRedeemUrl);
    assert.equal(redeem.origin, base);
    assert.equal(redeem.pathname, '/redeem');
    assert.equal(redeem.searchParams.get('tenant'), contoso.id);
    assert.equal(redeem.searchParams.get('user'), invitation.id);
  });

  test('the guest can be read back at once, and is pending', async () => {
    const read = await guest(contoso, invitation.invitedUser.id);
    assert.equal(read.userType, 'Guest');
    assert.equal(read.creationType, 'Invitation');
    assert.equal(read.externalUserState, 'PendingAcceptance');
    assert.equal(read.mail, bob.userPrincipalName);
    assert.ok(!read.identities.some(({ signInType }) => signInType === 'federated'));
  });

  test('the invitation mail carries the same link', async () => {
    const mail = await mailTo(bob.userPrincipalName);
    assert.match(mail.subject, /invited you to access applications within their organization/);
    assert.ok(mail.text.includes(invitation.inviteRedeemUrl), mail.text);
    assert.ok(mail.text.includes(contoso.displayName));
  });

  test('he opens the link without JavaScript, signs in at home, agrees, and lands on My Apps', async () => {
    const asked = [];
    const end = await signIn(page, invitation.inviteRedeemUrl, bob, {
      at: (kind, at, text) => asked.push({ kind, text }),
    });
    assert.equal(new URL(end.url).origin + new URL(end.url).pathname, MY_APPS);
    assert.ok(end.trail.includes('password'), 'he proves who he is at home');
    const consents = asked.filter(({ kind }) => kind === 'consent');
    assert.equal(consents.length, 1, end.trail.join());
    assert.match(consents[0].text, new RegExp(contoso.displayName));
    assert.ok(asked.at(-1).text.trim(), 'My Apps shows something');
  });

  test('Graph says Accepted, by an identity of another Entra tenant', async () => {
    const read = await guest(contoso, invitation.invitedUser.id);
    assert.equal(read.externalUserState, 'Accepted');
    const federated = read.identities.filter(({ signInType }) => signInType === 'federated');
    assert.deepEqual(federated.map(({ issuer }) => issuer), ['ExternalAzureAD']);
  });

  test('openid-client signs him in to the web application of Contoso', async () => {
    const app = await WebApp.at(contoso, web);
    first = await app.signIn(page, bob, { login_hint: bob.userPrincipalName });
    const claims = await verifyV2(first.answer.id_token, contoso, web.appId);
    assertGuest(claims);
    assert.equal(claims.nonce, first.nonce);
    assert.deepEqual(clientInfo(first.answer), { uid: bob.id, utid: fabrikam.id });
    first.claims = claims;
  });

  test('his access token works for Graph in Contoso, where he is himself and a guest', async () => {
    const claims = await verifyV1(first.answer.access_token, contoso);
    assert.equal(claims.oid, invitation.invitedUser.id);
    assert.equal(claims.tid, contoso.id);
    assert.equal(claims.idp, issuerV1(fabrikam));
    const me = await graphWith(async () => first.answer.access_token).api('/me').select('id,userType').get();
    assert.deepEqual({ id: me.id, userType: me.userType }, { id: invitation.invitedUser.id, userType: 'Guest' });
  });

  test('userinfo is about the same subject', async () => {
    const app = await WebApp.at(contoso, web);
    const info = await app.userInfo(first.answer.access_token, first.claims.sub);
    assert.equal(info.sub, first.claims.sub);
  });

  test('a refresh gives new tokens, and the old refresh token stays good', async () => {
    const app = await WebApp.at(contoso, web);
    const second = await app.refresh(first.answer.refresh_token);
    assertGuest(await verifyV2(second.id_token, contoso, web.appId));
    assert.ok(second.refresh_token);
    const again = await app.refresh(first.answer.refresh_token);
    assert.ok(again.access_token);
    const next = await app.refresh(second.refresh_token);
    assert.ok(next.access_token);
  });

  test('msal-node signs him in from another device, and knows his home account', async () => {
    const device = await (await newContext(browser)).newPage();
    const { result, nonce, renew } = await signInWithMsal(device, contoso, web, bob, {
      loginHint: bob.userPrincipalName,
    });
    assert.equal(result.account.homeAccountId, `${bob.id}.${fabrikam.id}`);
    assert.equal(result.account.tenantId, contoso.id);
    const claims = await verifyV2(result.idToken, contoso, web.appId);
    assertGuest(claims);
    assert.equal(claims.nonce, nonce);
    assert.equal(claims.sub, first.claims.sub, 'the same application sees the same subject');

    const renewed = await renew();
    assert.equal(renewed.fromCache, false);
    assert.equal((await verifyV1(renewed.accessToken, contoso)).oid, invitation.invitedUser.id);
  });

  test('an application made a moment ago sees another subject for the same guest', async () => {
    const made = await newWebApplication(contoso, { displayName: 'Second web application' });
    const app = await WebApp.at(contoso, made);
    const { answer } = await app.signIn(page, bob, { scope: 'openid profile', login_hint: bob.userPrincipalName });
    const claims = await verifyV2(answer.id_token, contoso, made.appId);
    assertGuest(claims);
    assert.notEqual(claims.sub, first.claims.sub);
  });

  test('he signs out, comes back to the application, and is not signed in silently any more', async () => {
    const app = await WebApp.at(contoso, web);
    const out = await signIn(page, app.signOutUrl(first.answer.id_token, 'bye'), bob);
    assert.equal(new URL(out.url).origin + new URL(out.url).pathname, CALLBACK);
    assert.equal(new URL(out.url).searchParams.get('state'), 'bye');

    const { url, remembered } = await app.begin({ prompt: 'none' });
    const end = await signIn(page, url, bob);
    await assert.rejects(app.finish(end, remembered), (error) => {
      assert.equal(error.error, 'login_required');
      assert.match(error.error_description, /AADSTS50058/);
      return true;
    });
  });

  function assertGuest(claims) {
    assert.equal(claims.tid, contoso.id);
    assert.equal(claims.oid, invitation.invitedUser.id);
    assert.equal(claims.idp, issuerV1(fabrikam));
    assert.equal(claims.ver, '2.0');
    assert.notEqual(claims.oid, bob.id);
  }
});

test('a pending guest who goes straight to the application is redeemed just in time', async () => {
  const member = await newMember(fabrikam, 'direct');
  const { invitedUser } = await invite(contoso, member.userPrincipalName);
  const browser = await launch();
  try {
    const page = await (await newContext(browser)).newPage();
    const app = await WebApp.at(contoso, web);
    const { answer, trail } = await app.signIn(page, member, { login_hint: member.userPrincipalName });
    assert.equal((await verifyV2(answer.id_token, contoso, web.appId)).oid, invitedUser.id);
    assert.ok(trail.filter((kind) => kind === 'consent').length >= 1, trail.join());
    assert.equal((await guest(contoso, invitedUser.id)).externalUserState, 'Accepted');
  } finally {
    await browser.close();
  }
});

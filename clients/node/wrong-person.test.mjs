// The link is a hint, not a credential (R05): whoever holds it still has to be the invited person.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { launch, newContext, signIn, SignInRefused } from './signin.mjs';
import { application, contoso, fabrikam, graphWith, guest, invite, newMember, MY_APPS, person } from './world.mjs';
import { WebApp } from './web-app.mjs';

let browser;
let page;
let invited; // the person the invitation is for
before(async () => (browser = await launch()));
after(() => browser.close());
beforeEach(async () => {
  page = await (await newContext(browser)).newPage();
  invited = await newMember(fabrikam, 'invited');
});
afterEach(() => page.context().close());

async function assertStillPending(invitation) {
  const read = await guest(contoso, invitation.invitedUser.id);
  assert.equal(read.externalUserState, 'PendingAcceptance');
  assert.ok(!read.identities.some(({ signInType }) => signInType === 'federated'));
}

const isRefusedAfterSignIn = (error) => {
  assert.ok(error instanceof SignInRefused, error);
  assert.ok(!error.trail.includes('consent'), 'nobody is asked to accept for somebody else');
  return true;
};

test('a colleague of the invited person does not get in with the link', async () => {
  const invitation = await invite(contoso, invited.userPrincipalName);
  const eve = person(fabrikam, 'eve');
  await assert.rejects(signIn(page, invitation.inviteRedeemUrl, eve), isRefusedAfterSignIn);
  await assertStillPending(invitation);
});

test('a colleague who is signed in already does not get in with the link', async () => {
  const invitation = await invite(contoso, invited.userPrincipalName);
  const eve = person(fabrikam, 'eve');
  const app = await WebApp.at(fabrikam, application(fabrikam, 'web'));
  await app.signIn(page, eve);
  await assert.rejects(signIn(page, invitation.inviteRedeemUrl, eve), isRefusedAfterSignIn);
  await assertStillPending(invitation);
});

test('the inviter does not get in with the link', async () => {
  const alice = person(contoso, 'alice');
  const app = await WebApp.at(contoso, application(contoso, 'web'));
  const { answer } = await app.signIn(page, alice, { scope: 'openid profile User.Invite.All' });
  const invitation = await graphWith(async () => answer.access_token).api('/invitations').post({
    invitedUserEmailAddress: invited.userPrincipalName,
    inviteRedirectUrl: MY_APPS,
  });
  await assert.rejects(signIn(page, invitation.inviteRedeemUrl, alice), isRefusedAfterSignIn);
  await assertStillPending(invitation);
});

test('a link with one changed letter opens nothing', async () => {
  const invitation = await invite(contoso, invited.userPrincipalName);
  const changed = new URL(invitation.inviteRedeemUrl);
  const ticket = changed.searchParams.get('ticket');
  changed.searchParams.set('ticket', (ticket[0] === 'A' ? 'B' : 'A') + ticket.slice(1));
  await assert.rejects(signIn(page, changed.href, invited), SignInRefused);
  await assertStillPending(invitation);
});

test('the person it is for gets in with the same link, after all that', async () => {
  const invitation = await invite(contoso, invited.userPrincipalName);
  await assert.rejects(signIn(page, invitation.inviteRedeemUrl, person(fabrikam, 'eve')), isRefusedAfterSignIn);
  const other = await (await newContext(browser)).newPage();
  await signIn(other, invitation.inviteRedeemUrl, invited);
  assert.equal((await guest(contoso, invitation.invitedUser.id)).externalUserState, 'Accepted');
});

// A device without a browser: it shows a code, and a person signs in for it elsewhere. And a program that asks for the
// password itself.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DeviceCodeCredential } from '@azure/identity';
import { PublicClientApplication } from '@azure/msal-node';
import * as client from 'openid-client';
import { verifyV1, verifyV2 } from './tokens.mjs';
import { launch, newContext, signIn, SignInRefused } from './signin.mjs';
import { application, authority, base, contoso, fabrikam, graphWith, host, invite, issuer, newMember } from './world.mjs';

const native = application(contoso, 'native');
const SCOPE = 'openid profile offline_access User.Read';
let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** Goes to the page that the device names, types its code and says yes. */
async function letIn(uri, userCode, who) {
  assert.equal(uri, `${base}/device`);
  const page = await (await newContext(browser)).newPage();
  const { trail } = await signIn(page, uri, { ...who, userCode });
  assert.deepEqual(trail.slice(0, 4), ['code', 'name', 'password', 'device']);
}

const msal = () =>
  new PublicClientApplication({
    auth: { clientId: native.appId, authority: authority(contoso), knownAuthorities: [host] },
  });

test('msal-node waits until somebody has signed in, and renews silently', async () => {
  const member = await newMember(contoso, 'devmsal');
  const app = msal();
  let person;
  const result = await app.acquireTokenByDeviceCode({
    scopes: ['User.Read'],
    deviceCodeCallback: ({ verificationUri, userCode, message, interval, expiresIn }) => {
      assert.ok(message.includes(userCode) && message.includes(verificationUri));
      assert.deepEqual([interval, expiresIn], [5, 900]);
      person = letIn(verificationUri, userCode, member);
    },
  });
  await person;
  assert.equal(result.account.homeAccountId, `${member.id}.${contoso.id}`);
  assert.equal((await verifyV2(result.idToken, contoso, native.appId)).oid, member.id);
  assert.equal((await graphWith(async () => result.accessToken).api('/me').get()).id, member.id);
  const renewed = await app.acquireTokenSilent({
    account: result.account,
    scopes: ['User.Read'],
    forceRefresh: true,
  });
  assert.equal((await verifyV1(renewed.accessToken, contoso)).oid, member.id);
});

test('openid-client finds the endpoint in the metadata and polls it', async () => {
  const member = await newMember(contoso, 'devoidc');
  const config = await client.discovery(new URL(issuer(contoso)), native.appId, undefined, client.None());
  const codes = await client.initiateDeviceAuthorization(config, { scope: SCOPE });
  assert.ok(!('verification_uri_complete' in codes));
  const waiting = client.pollDeviceAuthorizationGrant(config, codes);
  await letIn(codes.verification_uri, codes.user_code, member);
  const answer = await waiting;
  assert.equal(answer.claims().oid, member.id);
  assert.equal((await verifyV2(answer.id_token, contoso, native.appId)).oid, member.id);
  await assert.rejects(client.pollDeviceAuthorizationGrant(config, { ...codes, interval: 0 }), (error) =>
    error.error === 'invalid_grant' && error.cause.error_codes.includes(54005));
});

test('azure-identity hands its credential to Graph', async () => {
  const member = await newMember(contoso, 'devazure');
  let person;
  const credential = new DeviceCodeCredential({
    tenantId: contoso.id,
    clientId: native.appId,
    authorityHost: base,
    disableInstanceDiscovery: true,
    userPromptCallback: ({ verificationUri, userCode }) => {
      person = letIn(verificationUri, userCode, member);
    },
  });
  const { token } = await credential.getToken('https://graph.microsoft.com/User.Read');
  await person;
  assert.equal((await graphWith(async () => token).api('/me').get()).id, member.id);
});

test('a guest is told that codes are not for guests', async () => {
  const member = await newMember(fabrikam, 'devguest');
  const { inviteRedeemUrl } = await invite(contoso, member.userPrincipalName);
  await signIn(await (await newContext(browser)).newPage(), inviteRedeemUrl, member);
  const config = await client.discovery(new URL(issuer(contoso)), native.appId, undefined, client.None());
  const codes = await client.initiateDeviceAuthorization(config, { scope: SCOPE });
  const page = await (await newContext(browser)).newPage();
  await assert.rejects(signIn(page, codes.verification_uri, { ...member, userCode: codes.user_code }), (error) =>
    error instanceof SignInRefused && error.code === 'AADSTS53003');
});

test('msal-node signs a member in with name and password', async () => {
  const member = await newMember(contoso, 'ropc');
  // What is asked has to be agreed to at a page, once.
  const config = await client.discovery(new URL(issuer(contoso)), native.appId, undefined, client.None());
  const codes = await client.initiateDeviceAuthorization(config, { scope: SCOPE });
  await letIn(codes.verification_uri, codes.user_code, member);
  const ask = (password) =>
    msal().acquireTokenByUsernamePassword({ scopes: ['User.Read'], username: member.userPrincipalName, password });
  const result = await ask(member.password);
  assert.equal(result.account.homeAccountId, `${member.id}.${contoso.id}`);
  assert.equal((await verifyV1(result.accessToken, contoso)).oid, member.id);
  await assert.rejects(ask('wrong'), /AADSTS50126/);
});

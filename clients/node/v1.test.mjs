// The v1.0 endpoints, as libraries before MSAL use them: a resource instead of scopes. By openid-client, with its secret
// in the header.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as client from 'openid-client';
import { verifyV1 } from './tokens.mjs';
import { launch, newContext } from './signin.mjs';
import { application, contoso, graphWith, issuerV1, newMember } from './world.mjs';
import { WebApp } from './web-app.mjs';

const GRAPH = 'https://graph.microsoft.com';
const v1 = { address: issuerV1(contoso), authenticate: client.ClientSecretBasic };
let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test('a member signs in for a resource, and the refresh token gets another one', async () => {
  const web = application(contoso, 'web');
  const member = await newMember(contoso, 'v1');
  const app = await WebApp.at(contoso, web, v1);
  const page = await (await newContext(browser)).newPage();
  const { answer, nonce } = await app.signIn(page, member, { resource: GRAPH, scope: 'openid' });
  const claims = await verifyV1(answer.id_token, contoso, web.appId);
  assert.deepEqual([claims.ver, claims.oid, claims.nonce], ['1.0', member.id, nonce]);
  assert.equal(claims.unique_name, member.userPrincipalName);
  assert.equal(answer.resource, GRAPH);
  assert.equal((await graphWith(async () => answer.access_token).api('/me').get()).id, member.id);

  const renewed = await app.refresh(answer.refresh_token, { resource: GRAPH });
  assert.equal((await verifyV1(renewed.access_token, contoso, GRAPH)).oid, member.id);
});

test('a daemon gets a token of a resource', async () => {
  const daemon = application(contoso, 'daemon');
  const app = await WebApp.at(contoso, daemon, v1);
  const answer = await client.clientCredentialsGrant(app.config, { resource: GRAPH });
  const claims = await verifyV1(answer.access_token, contoso, GRAPH);
  assert.deepEqual([claims.appid, claims.ver], [daemon.appId, '1.0']);
  // A resource that nobody offers is told as its number.
  await assert.rejects(client.clientCredentialsGrant(app.config, { resource: 'https://nowhere.test/api' }), (error) =>
    error.cause.error_codes.includes(500011));
});

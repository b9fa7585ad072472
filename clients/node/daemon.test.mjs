// A daemon of Contoso: tokens by secret, and Graph with them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfidentialClientApplication } from '@azure/msal-node';
import { AuthenticationError, ClientSecretCredential } from '@azure/identity';
import { PageIterator } from '@microsoft/microsoft-graph-client';
import { verifyV1 } from './tokens.mjs';
import {
  GRAPH_SCOPE, application, authority, base, contoso, fabrikam, graphOf, host, issuerV1, newMember, person,
} from './world.mjs';

const daemon = application(contoso, 'daemon');

function msal(overrides = {}) {
  return new ConfidentialClientApplication({
    auth: {
      clientId: daemon.appId,
      clientSecret: daemon.secret,
      authority: authority(contoso),
      knownAuthorities: [host],
      ...overrides,
    },
  });
}

test('msal-node gets an app-only token of Graph, and the second one from its cache', async () => {
  const app = msal();
  const first = await app.acquireTokenByClientCredential({ scopes: [GRAPH_SCOPE] });
  const claims = await verifyV1(first.accessToken, contoso, 'https://graph.microsoft.com');
  assert.equal(claims.iss, issuerV1(contoso));
  assert.equal(claims.appid, daemon.appId);
  assert.equal(claims.tid, contoso.id);
  assert.equal(claims.ver, '1.0');
  for (const permission of daemon.permissions) assert.ok(claims.roles.includes(permission), permission);
  assert.ok(!('scp' in claims));

  const second = await app.acquireTokenByClientCredential({ scopes: [GRAPH_SCOPE] });
  assert.equal(second.fromCache, true);
  assert.equal(second.accessToken, first.accessToken);
});

test('msal-node shows the number of a wrong secret', async () => {
  await assert.rejects(
    msal({ clientSecret: 'not-the-secret' }).acquireTokenByClientCredential({ scopes: [GRAPH_SCOPE] }),
    (error) => error.errorCode === 'invalid_client' && String(error.errorNo) === '7000215',
  );
});

test('@azure/identity shows the reason of an unknown application', async () => {
  const credential = new ClientSecretCredential(contoso.id, crypto.randomUUID(), 'secret', {
    authorityHost: base,
    disableInstanceDiscovery: true,
  });
  await assert.rejects(credential.getToken(GRAPH_SCOPE), (error) => {
    assert.ok(error instanceof AuthenticationError || error.name === 'AuthenticationRequiredError', error.name);
    return /AADSTS700016/.test(error.message);
  });
});

test('the Graph client creates, changes, deletes and restores a user', async () => {
  const graph = graphOf(contoso);
  const member = await newMember(contoso, 'grace');

  const read = await graph.api(`/users/${member.userPrincipalName}`).get();
  assert.equal(read.id, member.id);
  assert.equal(read.displayName, member.displayName);

  await graph.api(`/users/${member.id}`).patch({ jobTitle: 'Rear admiral' });
  assert.equal((await graph.api(`/users/${member.id}`).select('jobTitle').get()).jobTitle, 'Rear admiral');

  await graph.api(`/users/${member.id}`).delete();
  await assert.rejects(graph.api(`/users/${member.id}`).get(), (error) => {
    assert.equal(error.statusCode, 404);
    assert.equal(error.code, 'Request_ResourceNotFound');
    assert.ok(error.requestId);
    return true;
  });

  const restored = await graph.api(`/directory/deletedItems/${member.id}/restore`).post({});
  assert.equal(restored.id, member.id);
  assert.equal((await graph.api(`/users/${member.id}`).get()).id, member.id);
});

test('the Graph client follows pages to the last user', async () => {
  const graph = graphOf(contoso);
  const mark = `paged-${crypto.randomUUID().slice(0, 8)}`;
  const made = [];
  for (let n = 0; n < 5; n += 1) made.push((await newMember(contoso, mark)).id);

  const wanted = graph.api('/users').filter(`startswith(displayName,'${mark}')`).select('id,displayName').top(2);
  const first = await wanted.get();
  assert.equal(first.value.length, 2);
  assert.ok(first['@odata.nextLink'].startsWith(`${base}/`), first['@odata.nextLink']);

  const seen = [];
  await new PageIterator(graph, first, (user) => Boolean(seen.push(user.id))).iterate();
  assert.deepEqual(seen.sort(), made.sort());
});

test('a user of another tenant is simply not found', async () => {
  const frank = person(fabrikam, 'frank');
  for (const key of [frank.id, frank.userPrincipalName]) {
    await assert.rejects(graphOf(contoso).api(`/users/${key}`).get(), (error) => error.statusCode === 404);
  }
});

// ID tokens straight from the authorization endpoint, with a code and alone, checked by openid-client.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as client from 'openid-client';
import { verifyV1, verifyV2 } from './tokens.mjs';
import { launch, newContext, signIn } from './signin.mjs';
import { contoso, graphOf, newMember, newWebApplication } from './world.mjs';
import { WebApp } from './web-app.mjs';

const graph = graphOf(contoso);
let browser;
let registered;
before(async () => {
  browser = await launch();
  registered = await newWebApplication(contoso, {
    displayName: 'Takes ID tokens at once',
    groupMembershipClaims: 'SecurityGroup',
    web: { implicitGrantSettings: { enableIdTokenIssuance: true } },
  });
});
after(() => browser.close());

const newPage = async () => (await newContext(browser)).newPage();

for (const mode of ['fragment', 'form_post']) {
  test(`a code and an ID token that vouches for it come by ${mode}`, async () => {
    const member = await newMember(contoso, 'hybrid');
    const app = await WebApp.at(contoso, registered, { prepare: client.useCodeIdTokenResponseType });
    const page = await newPage();
    const { url, remembered } = await app.begin({ response_mode: mode });
    const end = await signIn(page, url, member);
    const came = new URLSearchParams(end.body ?? new URL(end.url).hash.slice(1));
    const { c_hash, nonce, oid } = await verifyV2(came.get('id_token'), contoso, registered.appId);
    assert.ok(c_hash, 'openid-client compares it with the code');
    assert.deepEqual([nonce, oid], [remembered.expectedNonce, member.id]);
    const answer = await app.finish(end, remembered);
    assert.equal((await verifyV1(answer.access_token, contoso)).oid, member.id);
    assert.equal((await verifyV2(answer.id_token, contoso, registered.appId)).sub, answer.claims().sub);
  });
}

test('an ID token alone says of more groups than an address carries only that there are some', async () => {
  const member = await newMember(contoso, 'implicit');
  const join = (n) =>
    graph.api('/groups').post({
      displayName: `${member.displayName}-${n}`,
      mailEnabled: false,
      mailNickname: `${member.displayName}-${n}`,
      securityEnabled: true,
      'members@odata.bind': [`https://graph.microsoft.com/v1.0/directoryObjects/${member.id}`],
    });
  const app = await WebApp.at(contoso, registered, { prepare: client.useIdTokenResponseType });
  const page = await newPage();
  const token = async () => {
    const { url, remembered } = await app.begin({ scope: 'openid profile', response_mode: 'fragment' });
    const { expectedNonce, expectedState } = remembered;
    const end = await signIn(page, url, member, { origin: new URL(url).origin });
    const claims = await client.implicitAuthentication(app.config, new URL(end.url), expectedNonce, { expectedState });
    assert.equal(claims.oid, member.id);
    return claims;
  };
  for (let n = 1; n <= 5; n += 1) await join(n);
  const few = await token();
  assert.deepEqual([few.groups?.length, few.hasgroups], [5, undefined]);
  await join(6);
  const many = await token();
  assert.deepEqual([many.groups, many.hasgroups], [undefined, true]);
});

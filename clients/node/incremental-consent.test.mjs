// Asking for a little first and for more later, by openid-client: only what is new is asked.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, newContext } from './signin.mjs';
import { application, contoso, newMember } from './world.mjs';
import { WebApp } from './web-app.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test('a person agrees to a little, then to more, and is not asked a third time', async () => {
  const member = await newMember(contoso, 'incremental');
  const page = await (await newContext(browser, { javaScriptEnabled: false })).newPage();
  const app = await WebApp.at(contoso, application(contoso, 'web'));
  const consents = async (parameters) => {
    const asked = [];
    const at = (kind, _, text) => kind === 'consent' && asked.push(text);
    const { answer } = await app.signIn(page, member, parameters, { at });
    return { asked, scopes: answer.scope.split(' ') };
  };
  const first = await consents({ scope: 'openid User.Read' });
  assert.equal(first.asked.length, 1);
  assert.ok(!first.scopes.includes('User.ReadBasic.All'), first.scopes.join());

  const second = await consents({ scope: 'openid User.Read User.ReadBasic.All' });
  assert.equal(second.asked.length, 1);
  assert.notEqual(second.asked[0], first.asked[0]);
  assert.ok(second.scopes.includes('User.ReadBasic.All'), second.scopes.join());

  const third = await consents({ scope: 'openid User.Read User.ReadBasic.All' });
  assert.deepEqual(third.asked, []);

  const forced = await consents({ scope: 'openid User.Read User.ReadBasic.All', prompt: 'consent' });
  assert.equal(forced.asked.length, 1);
  assert.ok(forced.asked[0].length > second.asked[0].length, 'everything that is asked for is listed again');
});

// An application for several tenants asks an administrator of another organisation: without JavaScript, readable to everybody.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { barriers } from './axe.mjs';
import { launch, newContext, signIn } from './signin.mjs';
import { application, base, contoso, fabrikam, graphOf, newMember, person } from './world.mjs';

const spa = application(contoso, 'spa');
const redirect = spa.redirectUris[0];

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const ask = () => {
  const url = new URL(`${base}/organizations/v2.0/adminconsent`);
  const scope = 'https://graph.microsoft.com/.default';
  url.search = new URLSearchParams({ client_id: spa.appId, redirect_uri: redirect, state: 'a|b c', scope });
  return url.href;
};

test('an administrator of Fabrikam lets it in for everyone, without JavaScript', async () => {
  const page = await (await newContext(browser, { javaScriptEnabled: false })).newPage();
  const asked = [];
  const end = await signIn(page, ask(), person(fabrikam, 'frank'), {
    at: (kind, at, text) => asked.push({ kind, text }),
  });
  const consents = asked.filter(({ kind }) => kind === 'consent');
  assert.equal(consents.length, 1, end.trail.join());
  assert.match(consents[0].text, /Contoso Single Page/);
  assert.match(consents[0].text, /Fabrikam/);
  assert.ok(!end.trail.includes('stay'), end.trail.join());
  const { searchParams, origin } = new URL(end.url);
  assert.equal(origin, new URL(redirect).origin);
  assert.equal(searchParams.get('admin_consent'), 'True');
  assert.equal(searchParams.get('tenant'), fabrikam.id);
  assert.equal(searchParams.get('state'), 'a|b c');
  assert.equal(searchParams.get('scope'), 'https://graph.microsoft.com/.default');
  const { value } = await graphOf(fabrikam).api('/servicePrincipals').filter(`appId eq '${spa.appId}'`).get();
  assert.equal(value.length, 1, 'it has its service principal there');
});

test('both pages are readable to everybody', async () => {
  for (const [who, kinds] of [[person(fabrikam, 'frank'), /Accept/], [await newMember(fabrikam, 'asks'), /Use another account/]]) {
    const page = await (await newContext(browser, { viewport: { width: 360, height: 740 } })).newPage();
    const found = [];
    const end = await signIn(page, ask(), who, {
      consent: 'cancel',
      at: async (kind, at, text) => {
        if (kinds.test(text)) found.push({ kind, violations: await barriers(at) });
      },
    }).catch((error) => error);
    assert.ok(found.length > 0, `${end.message ?? end.trail}`);
    assert.deepEqual(found.flatMap(({ violations }) => violations), []);
  }
});

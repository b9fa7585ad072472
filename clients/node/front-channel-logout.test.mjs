// Signing out reaches an application in the same browser, in a hidden frame and without a script.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { verifyV2 } from './tokens.mjs';
import { launch, newContext } from './signin.mjs';
import { CALLBACK, contoso, issuer, newMember, newWebApplication } from './world.mjs';
import { WebApp } from './web-app.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

for (const javaScriptEnabled of [true, false]) {
  test(`the application hears that the session is over with scripts ${javaScriptEnabled ? 'on' : 'off'}`, async () => {
    const heard = [];
    const server = createServer((request, response) => {
      if (request.url.startsWith('/out')) heard.push(new URL(request.url, 'http://localhost').searchParams);
      response.end('ok');
    }).listen(0, 'localhost');
    await once(server, 'listening');
    try {
      const logoutUrl = `http://localhost:${server.address().port}/out`;
      const app = await newWebApplication(contoso, { displayName: 'Hears of sign-outs', web: { logoutUrl } });
      const web = await WebApp.at(contoso, app);
      assert.equal(web.config.serverMetadata().frontchannel_logout_supported, true);
      const member = await newMember(contoso, 'leaver');
      const page = await (await newContext(browser, { javaScriptEnabled })).newPage();
      const { answer } = await web.signIn(page, member);
      const { sid } = await verifyV2(answer.id_token, contoso, app.appId);

      // Where the browser goes on to is nobody's in this test: only the address counts.
      await page.context().route(`${CALLBACK}**`, (route) => route.fulfill({ body: 'back' }));
      await page.goto(web.signOutUrl(answer.id_token, 'a-state'));
      await page.waitForURL(`${CALLBACK}**`, { timeout: 20_000 });
      assert.equal(new URL(page.url()).searchParams.get('state'), 'a-state');
      assert.equal(heard.length, 1);
      assert.equal(heard[0].get('sid'), sid);
      assert.equal(heard[0].get('iss'), issuer(contoso));
    } finally {
      server.close();
    }
  });
}

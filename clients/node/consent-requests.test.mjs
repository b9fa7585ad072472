// Somebody may not agree to an application and asks; a reviewer gets the mail and answers; the application hears of it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { barriers } from './axe.mjs';
import { verifyV1 } from './tokens.mjs';
import { launch, newContext, signIn } from './signin.mjs';
import { base, contoso, graphOf, mailTo, newMember, newWebApplication } from './world.mjs';
import { WebApp } from './web-app.mjs';

const SCOPE = 'openid profile User.Read Directory.Read.All';
const POLICY = '/policies/adminConsentRequestPolicy';
// Its holders agree for everybody, except to application roles of Graph.
const CLOUD_APPLICATION_ADMINISTRATOR = '158c047a-c907-4556-b7ef-446551a6b5f7';

const graph = graphOf(contoso);
let browser;
let policyBefore;
let reviewer;

before(async () => {
  browser = await launch();
  reviewer = await newMember(contoso, 'reviewer');
  await graph.api('/roleManagement/directory/roleAssignments').post({
    principalId: reviewer.id,
    roleDefinitionId: CLOUD_APPLICATION_ADMINISTRATOR,
    directoryScopeId: '/',
  });
  policyBefore = await graph.api(POLICY).get();
  await graph.api(POLICY).put({
    isEnabled: true,
    notifyReviewers: true,
    remindersEnabled: false,
    requestDurationInDays: 7,
    reviewers: [{ query: `/users/${reviewer.id}`, queryType: 'MicrosoftGraph' }],
  });
});
after(async () => {
  const { '@odata.context': _, ...policy } = policyBefore;
  await graph.api(POLICY).put(policy);
  await browser.close();
});

/** A browser of somebody's own, at a page that asks them for approval of the application. */
async function refused(who, app, options) {
  const page = await (await newContext(browser, options)).newPage();
  const { url, remembered } = await app.begin({ scope: SCOPE });
  const error = await signIn(page, url, who).catch((error) => error);
  assert.equal(error.code, 'AADSTS90095', error.message);
  return { page, remembered };
}

async function send(page, reason) {
  await page.fill('[name="reason"]', reason);
  await page.click('[name="action"][value="request"]');
  await page.waitForSelector('text=Request sent');
}

/** Opens the link of the mail to the reviewer in a browser of theirs, signing in on the way. */
async function follow(mail, options) {
  const link = mail.text.match(/https:\S+/)[0];
  assert.ok(link.startsWith(`${base}/myapps/requests?`), link);
  const page = await (await newContext(browser, options)).newPage();
  await signIn(page, link, reviewer);
  // Whoever had to sign in lands on My Apps.
  await page.goto(link);
  return page;
}

test('asked on a phone, approved by a reviewer, and the person signs in; every page is readable to everybody', async () => {
  const phone = { viewport: { width: 360, height: 740 } };
  const member = await newMember(contoso, 'asks');
  const made = await newWebApplication(contoso, { displayName: `Budget ${member.displayName}` });
  const app = await WebApp.at(contoso, made);
  const found = {};

  const { page } = await refused(member, app, phone);
  found.approval = await barriers(page);
  await send(page, 'For the budget.');
  found.sent = await barriers(page);

  // Words with digits are left out of mails: they could be telephone numbers.
  const mail = await mailTo(reviewer.userPrincipalName, { what: 'the application Budget.' });
  assert.ok(mail.text.includes('> For the budget.'), mail.text);
  const theirs = await follow(mail, phone);
  found.requests = await barriers(theirs);
  const card = theirs.locator('section', { hasText: made.displayName });
  assert.match(await card.innerText(), /For the budget\.[^]*Directory\.Read\.All/);
  await card.locator('a').click();
  await theirs.waitForSelector('[name="action"][value="accept"]');
  found.consent = await barriers(theirs);
  await theirs.click('[name="action"][value="accept"]');
  await theirs.waitForSelector('text=Permissions granted');
  found.granted = await barriers(theirs);
  assert.deepEqual(Object.values(found).flat(), [], JSON.stringify(found));

  const answered = await mailTo(member.userPrincipalName);
  assert.match(answered.text, /approved/);
  const { answer, trail } = await app.signIn(page, member, { scope: SCOPE });
  assert.ok(!trail.includes('consent'), 'it was agreed to for everybody');
  const claims = await verifyV1(answer.access_token, contoso, 'https://graph.microsoft.com');
  assert.equal(claims.oid, member.id);
  assert.ok(claims.scp.split(' ').includes('Directory.Read.All'), claims.scp);
  const [request] = (await graph.api(`/identityGovernance/appConsent/appConsentRequests/${made.appId}/userConsentRequests`).get()).value;
  assert.deepEqual([request.status, request.createdBy.user.id], ['Completed', member.id]);
});

test('asked and denied without JavaScript, and the application is told', async () => {
  const plain = { javaScriptEnabled: false };
  const member = await newMember(contoso, 'hopes');
  const made = await newWebApplication(contoso, { displayName: `Game ${member.displayName}` });
  const app = await WebApp.at(contoso, made);

  const { page: first } = await refused(member, app, plain);
  await send(first, 'For fun.');
  const mail = await mailTo(reviewer.userPrincipalName, { what: 'the application Game.' });
  const theirs = await follow(mail, plain);
  const card = theirs.locator('section', { hasText: made.displayName });
  await card.locator('[name="reason"]').fill('Not at work.');
  await card.locator('[value="deny"]').click();
  await theirs.waitForSelector('text=The request was denied');
  assert.match((await mailTo(member.userPrincipalName)).text, /not approved[^]*> Not at work\./);

  // The person may ask again, or go back: then the application hears why there is no code.
  const { page, remembered } = await refused(member, app, plain);
  const back = page.waitForRequest((request) => request.isNavigationRequest() && !request.url().startsWith(base));
  await page.click('[name="action"][value="cancel"]', { noWaitAfter: true });
  await assert.rejects(app.finish({ url: (await back).url(), method: 'GET' }, remembered), (error) => {
    assert.equal(error.error, 'interaction_required');
    assert.match(error.error_description, /^AADSTS90095/);
    return true;
  });
});

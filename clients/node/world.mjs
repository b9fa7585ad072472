// The running world: who is in it, and how its own clients reach it.
//
// Everything comes from the world document (WORLD names the file) and the public surface.
// Node's fetch must trust the document's CA: start with NODE_EXTRA_CA_CERTS (clients/run does).

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ClientSecretCredential } from '@azure/identity';
import { Client } from '@microsoft/microsoft-graph-client';

if (!process.env.WORLD) {
  throw new Error('WORLD must name a world document: start the suites with clients/run');
}

export const world = JSON.parse(readFileSync(process.env.WORLD, 'utf8'));
export const base = world.base.replace(/\/$/, '');
export const host = new URL(base).host;
export const contoso = tenant('contoso.test');
export const fabrikam = tenant('fabrikam.test');

/** Where the seeded web applications expect their answers. */
export const CALLBACK = 'http://localhost:5000/callback';
export const MY_APPS = `${base}/myapps`;
export const GRAPH_SCOPE = 'https://graph.microsoft.com/.default';

function tenant(domain) {
  const found = world.tenants.find((candidate) => candidate.domain === domain);
  if (!found) throw new Error(`the world document has no tenant ${domain}`);
  return found;
}

/** A seeded person, by the part of the name before the @. */
export function person(home, name) {
  const found = home.users.find((user) => user.userPrincipalName === `${name}@${home.domain}`);
  if (!found) throw new Error(`${home.domain} has no user ${name}`);
  return found;
}

/** A seeded application, by kind: daemon, web, spa, native or api. */
export function application(home, kind) {
  const found = home.applications.find((app) => app.kind === kind);
  if (!found) throw new Error(`${home.domain} has no ${kind} application`);
  return found;
}

export const authority = (home) => `${base}/${home.id}`;
export const issuer = (home) => `${base}/${home.id}/v2.0`;
export const issuerV1 = (home) => `${base}/${home.id}/`;

/** A Graph client that authenticates by an `@azure/identity` secret credential. */
export function graphOf(home, app = application(home, 'daemon')) {
  const credential = new ClientSecretCredential(home.id, app.appId, app.secret, {
    authorityHost: base,
    disableInstanceDiscovery: true,
  });
  return graphWith(async () => (await credential.getToken(GRAPH_SCOPE)).token);
}

/** A Graph client for a token that somebody else acquired. */
export function graphWith(getAccessToken) {
  return Client.initWithMiddleware({
    baseUrl: `${base}/`,
    // Without the host in this set the client silently leaves the token away.
    customHosts: new Set([new URL(base).hostname]),
    authProvider: { getAccessToken },
  });
}

/** Creates a member who can sign in with a password at once. */
export async function newMember(home, name) {
  const unique = `${name}-${randomBytes(4).toString('hex')}`;
  const password = `${randomBytes(12).toString('base64url')}-aA1!`;
  const userPrincipalName = `${unique}@${home.domain}`;
  const created = await graphOf(home).api('/users').post({
    accountEnabled: true,
    displayName: unique,
    mailNickname: unique,
    userPrincipalName,
    passwordProfile: { password, forceChangePasswordNextSignIn: false },
  });
  return { id: created.id, userPrincipalName, password, displayName: unique };
}

/** Registers a web application for a test, with a service principal and a secret. */
export async function newWebApplication(home, { displayName, web, ...more }) {
  const graph = graphOf(home);
  const { id, appId } = await graph.api('/applications').post({
    displayName,
    web: { redirectUris: [CALLBACK], ...web },
    ...more,
  });
  await graph.api('/servicePrincipals').post({ appId });
  const { secretText } = await graph.api(`/applications/${id}/addPassword`).post({});
  return { id, appId, secret: secretText, displayName };
}

/** Invites somebody through the tenant's daemon. */
export function invite(resource, mail, more = {}) {
  return graphOf(resource).api('/invitations').post({
    invitedUserEmailAddress: mail,
    inviteRedirectUrl: MY_APPS,
    ...more,
  });
}

/** The guest object as the daemon of the resource tenant sees it. */
export function guest(resource, id) {
  return graphOf(resource)
    .api(`/users/${id}`)
    .select('id,userPrincipalName,mail,userType,creationType,externalUserState,identities')
    .get();
}

/** Waits for a mail in the development mailbox that says `what`: the outbox sends after the request was answered. */
export async function mailTo(address, { what = '', within = 15_000 } = {}) {
  const deadline = Date.now() + within;
  while (Date.now() < deadline) {
    const { messages } = await (await fetch(`${base}/dev/mail.json`)).json();
    const found = messages.find(
      ({ to, text }) => [to].flat().join().toLowerCase().includes(address) && text.includes(what),
    );
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no mail to ${address} within ${within} ms`);
}

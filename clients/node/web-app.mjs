// A web application as its author writes it: code with PKCE, state and nonce, by openid-client or by MSAL.

import { ConfidentialClientApplication, CryptoProvider } from '@azure/msal-node';
import * as client from 'openid-client';
import { CALLBACK, authority, host, issuer } from './world.mjs';
import { signIn } from './signin.mjs';

export const SCOPE = 'openid profile email offline_access User.Read';

export class WebApp {
  /**
   * Discovers the tenant: openid-client compares the issuer letter by letter, so it is the GUID form. `prepare` changes
   * the configuration, as `client.useCodeIdTokenResponseType` does.
   */
  static async at(home, { appId, secret }, { address = issuer(home), authenticate = client.ClientSecretPost, prepare } = {}) {
    const config = await client.discovery(new URL(address), appId, undefined, authenticate(secret));
    prepare?.(config);
    return new WebApp(config);
  }

  constructor(config) {
    this.config = config;
  }

  /** Begins a sign-in: the address for the browser, and what the application must remember. */
  async begin(parameters = {}) {
    const remembered = {
      pkceCodeVerifier: client.randomPKCECodeVerifier(),
      expectedState: client.randomState(),
      expectedNonce: client.randomNonce(),
    };
    const url = client.buildAuthorizationUrl(this.config, {
      redirect_uri: CALLBACK,
      scope: SCOPE,
      code_challenge: await client.calculatePKCECodeChallenge(remembered.pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: remembered.expectedState,
      nonce: remembered.expectedNonce,
      client_info: '1', // as MSAL does: the answer then tells whose home account it is
      ...parameters,
    });
    return { url: url.href, remembered };
  }

  /** Redeems what came back at the callback; `client.AuthorizationResponseError` if it is an error. */
  finish({ url, method, body }, remembered) {
    const came =
      method === 'POST'
        ? new Request(url, { method, body, headers: { 'content-type': 'application/x-www-form-urlencoded' } })
        : new URL(url);
    return client.authorizationCodeGrant(this.config, came, remembered, { client_info: '1' });
  }

  /** A whole sign-in in `page`: the token answer, the nonce that was sent, and the trail of pages. */
  async signIn(page, who, parameters = {}, options = {}) {
    const { url, remembered } = await this.begin(parameters);
    const end = await signIn(page, url, who, options);
    const answer = await this.finish(end, remembered);
    return { answer, nonce: remembered.expectedNonce, trail: end.trail };
  }

  refresh(refreshToken, parameters = {}) {
    return client.refreshTokenGrant(this.config, refreshToken, parameters);
  }

  userInfo(accessToken, subject) {
    return client.fetchUserInfo(this.config, accessToken, subject);
  }

  signOutUrl(idToken, state) {
    return client.buildEndSessionUrl(this.config, {
      id_token_hint: idToken,
      post_logout_redirect_uri: CALLBACK,
      ...(state && { state }),
    }).href;
  }
}

/** The same with msal-node: its application object, and what it says of the person who signed in. */
export async function signInWithMsal(page, home, { appId, secret }, who, parameters = {}) {
  const app = new ConfidentialClientApplication({
    auth: { clientId: appId, clientSecret: secret, authority: authority(home), knownAuthorities: [host] },
  });
  const crypto = new CryptoProvider();
  const { verifier, challenge } = await crypto.generatePkceCodes();
  const request = {
    scopes: ['User.Read'],
    redirectUri: CALLBACK,
    state: crypto.createNewGuid(),
    nonce: crypto.createNewGuid(),
  };
  const url = await app.getAuthCodeUrl({
    ...request,
    codeChallenge: challenge,
    codeChallengeMethod: 'S256',
    ...parameters,
  });
  const came = new URL((await signIn(page, url, who)).url).searchParams;
  const code = came.get('code');
  // MSAL compares state and nonce of the request with what came and with the ID token.
  const result = await app.acquireTokenByCode(
    { ...request, code, codeVerifier: verifier },
    { code, state: came.get('state') },
  );
  const renew = () => app.acquireTokenSilent({ account: result.account, scopes: request.scopes, forceRefresh: true });
  const fromCache = () => app.acquireTokenSilent({ account: result.account, scopes: request.scopes });
  return { result, nonce: request.nonce, renew, fromCache };
}

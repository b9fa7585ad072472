// Tokens, checked by a JOSE library that knows nothing of the client that acquired them.

import assert from 'node:assert/strict';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { base } from './world.mjs';

/** The JSON at an address of the server. */
export async function json(url) {
  const response = await fetch(url);
  assert.equal(response.status, 200, `${url} answered ${response.status}`);
  return response.json();
}

const metadata = (home, version) => json(`${base}/${home.id}${version}/.well-known/openid-configuration`);

/** Verifies an ID token or a v2 access token, and returns its claims. */
export async function verifyV2(token, home, audience) {
  return verify(token, await metadata(home, '/v2.0'), audience);
}

/** Verifies a v1 access token (Graph's are), and returns its claims. */
export async function verifyV1(token, home, audience) {
  return verify(token, await metadata(home, ''), audience);
}

async function verify(token, { issuer, jwks_uri }, audience) {
  const { payload, protectedHeader } = await jwtVerify(token, createRemoteJWKSet(new URL(jwks_uri)), {
    issuer,
    audience,
    algorithms: ['RS256'],
    requiredClaims: ['aud', 'exp', 'iat', 'iss', 'nbf', 'sub', 'tid', 'ver'],
  });
  assert.equal(protectedHeader.typ, 'JWT', 'clients refuse any other typ');
  assert.ok(protectedHeader.kid);
  return payload;
}

/** The decoded `client_info` of a token answer: whose HOME account this is. */
export function clientInfo(answer) {
  return JSON.parse(Buffer.from(answer.client_info, 'base64url').toString('utf8'));
}

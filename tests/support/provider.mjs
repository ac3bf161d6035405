// SPDX-License-Identifier: Apache-2.0
// A workspace that is not ours: the certified OpenID provider from npm, set up to stand where Databricks stands: issuer
// <origin>/oidc, its routes under /v1, all-apis, a refresh token without `prompt`, rotated at each use.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import express from 'express';
import Provider from 'oidc-provider';

const names = { 'ada@example.com': 'Ada Lovelace', 'grace@example.com': 'Grace Hopper', 'alan@example.com': 'Alan Turing' };

export const client = { id: 'interop-app', secret: 'a secret: with %, + and &=' };

export class Workspace {
  // `events`: what the provider itself says happened, oldest first: {event, ...}.
  events = [];

  static async start() {
    const workspace = new Workspace();
    const app = express();
    workspace.server = createServer(app);
    await new Promise((resolve) => workspace.server.listen(0, '127.0.0.1', resolve));
    workspace.origin = `http://127.0.0.1:${workspace.server.address().port}`;
    workspace.app = app;
    return workspace;
  }

  // The redirect URIs are known only when the gateways have their ports.
  serve(redirectUris) {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const provider = new Provider(`${this.origin}/oidc`, {
      clients: [{
        client_id: client.id, client_secret: client.secret, redirect_uris: redirectUris, response_types: ['code'],
        grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'client_secret_basic',
      }],
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' }] },
      cookies: { keys: [randomBytes(32).toString('hex')] },
      scopes: ['openid', 'offline_access', 'all-apis'],
      claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email'] },
      conformIdTokenClaims: false,
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: id, preferred_username: id, name: names[id] }) }),
      issueRefreshToken: () => true,
      rotateRefreshToken: () => true,
      pkce: { required: () => true },
      features: { devInteractions: { enabled: true }, revocation: { enabled: true } },
      ttl: { AccessToken: 3600, AuthorizationCode: 60, IdToken: 3600, RefreshToken: 86400, Interaction: 600, Grant: 86400, Session: 86400 },
      routes: { authorization: '/v1/authorize', token: '/v1/token', jwks: '/jwks.json', userinfo: '/v1/userinfo', revocation: '/v1/revoke' },
    });
    const note = (event, told) => provider.on(event, (...args) => this.events.push({ event, ...told(...args) }));
    note('authorization_code.saved', (code) => ({ token: code.jti }));
    note('refresh_token.saved', (token) => ({ token: token.jti }));
    note('refresh_token.consumed', (token) => ({ token: token.jti }));
    note('grant.revoked', () => ({}));
    note('grant.success', (ctx) => ({ grant: ctx.oidc.params.grant_type, verifier: ctx.oidc.params.code_verifier }));
    note('grant.error', (ctx, error) => ({ error: error.error, detail: error.error_detail ?? error.error_description }));
    note('server_error', (_, error) => ({ error: String(error.stack) }));
    // Databricks publishes RFC 8414's document, with the well-known part behind the issuer (B93).
    this.app.use((request, _, next) => {
      if (request.url === '/oidc/.well-known/oauth-authorization-server') {
        request.url = request.originalUrl = '/oidc/.well-known/openid-configuration';
      }
      next();
    });
    this.app.use('/oidc', provider.callback());
  }

  last(event) { return this.events.findLast((one) => one.event === event); }
  all(event) { return this.events.filter((one) => one.event === event); }

  // Asks the token endpoint as the application would, with its own credentials.
  async token(fields) {
    const encode = (text) => new URLSearchParams({ x: text }).toString().slice(2);
    const proof = Buffer.from(`${encode(client.id)}:${encode(client.secret)}`).toString('base64');
    const answer = await fetch(`${this.origin}/oidc/v1/token`,
      { method: 'POST', headers: { authorization: `Basic ${proof}` }, body: new URLSearchParams(fields) });
    return { status: answer.status, body: await answer.json() };
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

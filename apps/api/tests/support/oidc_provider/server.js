// A real OpenID Connect provider for tests, set up to behave as Google or as Apple does.
// Its configuration is JSON on the command line; `/control` lets a test make accounts and rotate the signing key.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

import { createLocalJWKSet, jwtVerify } from 'jose';
import Provider from 'oidc-provider';
import { createMemoryAdapter } from 'oidc-provider/lib/adapters/memory_adapter.js';

const options = JSON.parse(process.argv[2]);
const issuer = `http://127.0.0.1:${options.port}`;
const apple = options.kind === 'apple';
const accounts = new Map();
const adapter = createMemoryAdapter(); // outlives a provider that is made anew
const cookieKeys = [randomBytes(32).toString('hex')];

function newKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomBytes(6).toString('hex'), alg: 'RS256', use: 'sig' };
}

async function acceptsAppleSecret(secret) {
  try {
    const keys = createLocalJWKSet({ keys: [options.appleKey] });
    const { payload } = await jwtVerify(secret, keys, {
      algorithms: ['ES256'], issuer: options.teamId, subject: options.clientId, audience: issuer, requiredClaims: ['exp', 'iat'],
    });
    return payload.exp - payload.iat <= 6 * 30 * 86400;
  } catch {
    return false;
  }
}

function makeProvider(keys) {
  const provider = new Provider(issuer, {
    clients: [{
      client_id: options.clientId,
      client_secret: options.clientSecret ?? 'checked by what signed it',
      token_endpoint_auth_method: 'client_secret_post',
      redirect_uris: [options.redirectUri],
      response_types: ['code'],
      grant_types: ['authorization_code'],
    }],
    adapter,
    jwks: { keys },
    cookies: { keys: cookieKeys },
    scopes: ['openid', 'email', 'profile', 'name'],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'given_name', 'locale'] },
    conformIdTokenClaims: false, // Google and Apple put the address into the ID token
    pkce: { required: () => false }, // as Google and Apple: what nobody asks for is not checked
    findAccount: (ctx, sub) => accounts.has(sub) && {
      accountId: sub,
      claims: () => ({ sub, ...accounts.get(sub) }),
    },
  });
  if (apple) {
    provider.Client.prototype.compareClientSecret = acceptsAppleSecret;
    provider.use(async (ctx, next) => {
      await next();
      // Apple's form has the person's name beside the code, the first time only and unsigned.
      const name = ctx.oidc?.account && accounts.get(ctx.oidc.account.accountId)?.form_user;
      if (name && typeof ctx.body === 'string' && ctx.body.includes('name="code"')) {
        const value = JSON.stringify(name).replaceAll('&', '&amp;').replaceAll('"', '&quot;');
        ctx.body = ctx.body.replace('<noscript>', `<input type="hidden" name="user" value="${value}"/>\n<noscript>`);
      }
    });
  }
  return provider.callback();
}

let keys = [newKey()];
let handle = makeProvider(keys);
let jwksFetches = 0;

async function control(request, response) {
  let body = '';
  for await (const part of request) body += part;
  const command = JSON.parse(body);
  if (command.account) accounts.set(command.account.sub, command.account.claims);
  if (command.rotate) {
    keys = [newKey()]; // the old one is gone at once, which is the hardest case
    handle = makeProvider(keys);
  }
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ jwksFetches, issuer, kids: keys.map((key) => key.kid) }));
}

createServer((request, response) => {
  if (request.url === '/control') return control(request, response);
  if (request.url.startsWith('/jwks')) jwksFetches += 1;
  return handle(request, response);
}).listen(options.port, '127.0.0.1', () => console.log('listening'));

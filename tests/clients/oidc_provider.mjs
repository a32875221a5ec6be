// The certified OpenID provider of the npm package oidc-provider, with people whom the test plays.
//
// Prints a line of JSON, {"origin": ...}, when it listens and another, {"event": "revoked"}, whenever
// tokens were revoked, and ends when its input ends. A person who is sent here ends up at
// /interaction/..., where the test says how they answer:
//
//     ?as=ada              signs in and gives all that is asked for
//     ?as=ada&only=openid  signs in and gives these scopes only
//     ?deny=1              refuses
//
// A POST to /end-grants takes back whatever anybody has granted, as an administrator does.
//
// SETTINGS: {"shape", "client_id", "client_secret", "claims", "token_claims", "access_token_seconds"}.
// The shape is one of
//
//     plain     the package as it is; refresh tokens for offline_access, used once
//     google    refresh tokens without that scope, used again and again
//     keycloak  below /realms/myrealm with Keycloak's paths; access tokens are JWTs that carry
//               token_claims, and everything else stands in the id_token
//
//     oidc_provider.mjs PACKAGE_FOLDER SETTINGS

import { createServer } from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, settingsText] = process.argv.slice(2);
const settings = JSON.parse(settingsText);
const entry = path.resolve(folder, 'node_modules/oidc-provider/lib/index.js');
// The package has remarks, which are not for the test.
console.info = console.error;
const { Provider } = await import(pathToFileURL(entry));

const REALM = '/realms/myrealm';
const API = 'https://api.example.com';
const isKeycloak = settings.shape === 'keycloak';
const base = isKeycloak ? REALM : '';
const grantIds = new Set();

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(`${origin}${base}`, configuration());
const handle = provider.callback();

/** Answers what the test asks for itself, and leaves the rest to the package. */
async function answer(request, response) {
  const target = new URL(request.url, origin);
  if (target.pathname.startsWith('/interaction/')) return interact(request, response, target.searchParams);
  if (target.pathname === '/end-grants') return endGrants(response);
  if (base && request.url.startsWith(`${base}/`)) {
    // What is mounted below a path sees the rest of it.
    request.originalUrl = request.url;
    request.url = request.url.slice(base.length);
  }
  return handle(request, response);
}

/** Lets the person sign in and grant what they want to, in one step. */
async function interact(request, response, query) {
  const { params } = await provider.interactionDetails(request, response);
  if (query.has('deny')) {
    const error = { error: 'access_denied', error_description: 'the person said no' };
    return provider.interactionFinished(request, response, error);
  }
  if (!query.has('as')) return response.writeHead(200, { 'Content-Type': 'text/plain' }).end('who are you?');
  const grant = new provider.Grant({ accountId: query.get('as'), clientId: params.client_id });
  const asked = params.scope.split(' ');
  const given = (query.get('only') ?? params.scope).split(' ');
  const kept = asked.filter((scope) => !given.includes(scope));
  grant.addOIDCScope(given.join(' '));
  grant.addResourceScope(API, given.join(' '));
  if (kept.length > 0) {
    grant.rejectOIDCScope(kept.join(' '));
    grant.rejectResourceScope(API, kept.join(' '));
  }
  const grantId = await grant.save();
  grantIds.add(grantId);
  const result = { login: { accountId: query.get('as') }, consent: { grantId } };
  return provider.interactionFinished(request, response, result);
}

async function endGrants(response) {
  for (const id of grantIds) {
    const grant = await provider.Grant.find(id);
    await grant?.destroy();
  }
  grantIds.clear();
  response.writeHead(204).end();
}

function configuration() {
  return {
    clients: [{
      client_id: settings.client_id,
      client_secret: settings.client_secret,
      // Such a client may come back to any port of this machine.
      application_type: 'native',
      redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    }],
    cookies: { keys: ['a key for the cookies of a test'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...settings.claims }) }),
    claims: {
      openid: ['sub', 'hd', 'role', 'groups', 'permissions'],
      email: ['email', 'email_verified'],
      profile: ['name', 'preferred_username'],
    },
    // The realm says all of it in the id_token, because it has no userinfo endpoint here: the
    // package takes no access token there that is meant for an API.
    conformIdTokenClaims: !isKeycloak,
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    ttl: { AccessToken: settings.access_token_seconds },
    ...(settings.shape === 'plain' ? {} : { issueRefreshToken: () => true }),
    rotateRefreshToken: settings.shape !== 'google',
    extraTokenClaims: () => settings.token_claims,
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      userinfo: { enabled: !isKeycloak },
      resourceIndicators: {
        enabled: isKeycloak,
        defaultResource: () => API,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: 'openid profile email',
          audience: 'account',
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    ...(isKeycloak ? { routes: realmRoutes() } : {}),
  };
}

/** Keycloak's paths below those of its realm. */
function realmRoutes() {
  const at = (name) => `/protocol/openid-connect/${name}`;
  return { authorization: at('auth'), token: at('token'), jwks: at('certs'), revocation: at('revoke') };
}

provider.on('grant.revoked', () => console.log(JSON.stringify({ event: 'revoked' })));
process.stdin.on('end', () => process.exit(0)).resume();
console.log(JSON.stringify({ origin }));

// Signs in to an MCP server with the TypeScript SDK and calls one tool.
//
// Knows the server's URL and a person's name and password, nothing else: the SDK finds the
// authorization server, registers a client and exchanges the code, and the browser below does
// what the person would do. Runs with the SDK of both major versions; SDK_FOLDER is where one
// of them is installed.
//
// With the process of the server in the variable SERVER_PROCESS it then subscribes to changes
// (second generation only), asks the server to stop and waits for the end of the subscription.
//
// Prints one line of JSON: {"sdk", "version", "protocol", "tools", "result", "subscription"}.
//
// With CLIENT_METADATA_URL the client is not registered: that URL of a document is its client_id.
//
//     ts_login.mjs SDK_FOLDER URL USER PASSWORD TOOL ARGUMENTS [CLIENT_METADATA_URL]

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';

const STEPS_MAX = 20;
const RUN_SECONDS = 120;
const [folder, url, user, password, tool, toolArguments, clientMetadataUrl] = process.argv.slice(2);
const sdk = loadSdk(folder);

/** Loads whichever generation of the SDK is installed in `folder`. */
function loadSdk(folder) {
  const require = createRequire(path.join(path.resolve(folder), 'package.json'));
  const version = (name) =>
    JSON.parse(readFileSync(path.join(folder, 'node_modules', name, 'package.json'), 'utf8')).version;
  try {
    const { Client, StreamableHTTPClientTransport, UnauthorizedError } = require('@modelcontextprotocol/client');
    return { Client, StreamableHTTPClientTransport, UnauthorizedError, version: version('@modelcontextprotocol/client') };
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
  }
  const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
  const { StreamableHTTPClientTransport } = require('@modelcontextprotocol/sdk/client/streamableHttp.js');
  const { UnauthorizedError } = require('@modelcontextprotocol/sdk/client/auth.js');
  return { Client, StreamableHTTPClientTransport, UnauthorizedError, version: version('@modelcontextprotocol/sdk') };
}

/** The client's end of the redirect: a server on a free port that keeps what it is sent. */
class Callback {
  static async listen() {
    const callback = new Callback();
    callback.server = createServer((request, response) => {
      const target = new URL(request.url, callback.url);
      const isCallback = target.pathname === '/callback';
      if (isCallback) callback.answer = target.searchParams;
      response.writeHead(isCallback ? 200 : 404, { Connection: 'close' }).end();
    });
    await new Promise((resolve) => callback.server.listen(0, '127.0.0.1', resolve));
    callback.url = `http://127.0.0.1:${callback.server.address().port}/callback`;
    return callback;
  }
}

/** The attributes of a tag, such as `name="csrf" value="x"`. */
function attributes(tag) {
  const unescaped = (text) =>
    text
      .replace(/&#x([0-9a-f]+);/gi, (_, code) => String.fromCodePoint(parseInt(code, 16)))
      .replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
      .replace(/&quot;/g, '"')
      .replace(/&lt;/g, '<')
      .replace(/&gt;/g, '>')
      .replace(/&amp;/g, '&');
  const pairs = [...tag.matchAll(/([\w-]+)(?:="([^"]*)")?/g)].slice(1);
  return Object.fromEntries(pairs.map(([, name, value]) => [name, unescaped(value ?? '')]));
}

/** What a person sends with the first form of `page`, who agrees and signs in. */
function fillIn(page) {
  const form = /<form\b[^>]*>([\s\S]*?)<\/form>/i.exec(page);
  if (!form) return undefined;
  const body = new URLSearchParams();
  for (const [tag] of form[1].matchAll(/<input\b[^>]*>/gi)) {
    const { name, type, value = '' } = attributes(tag);
    if (!name) continue;
    body.append(name, type === 'password' ? password : name === 'username' ? user : value);
  }
  const buttons = [...form[1].matchAll(/<button\b[^>]*>/gi)].map(([tag]) => attributes(tag));
  const button = buttons.find(({ value }) => value === 'approve') ?? buttons[0];
  if (button?.name) body.append(button.name, button.value ?? '');
  return { action: attributes(/<form\b[^>]*>/i.exec(page)[0]).action ?? '', body };
}

/** A person at a browser: goes one hop at a time, keeps cookies, fills in forms. */
class Browser {
  cookies = new Map();

  /** Opens `url` and goes on until `until` was visited. */
  async go(url, until) {
    let body;
    for (let step = 0; step < STEPS_MAX; step += 1) {
      const response = await this.request(url, body);
      const page = await response.text();
      if (url.href.split('?')[0] === until) return;
      if ([302, 303].includes(response.status)) {
        [url, body] = [new URL(response.headers.get('location'), url), undefined];
        continue;
      }
      const form = fillIn(page);
      if (response.status !== 200 || !form) {
        throw new Error(`the browser is stuck at ${url.pathname} with status ${response.status}: ${page.slice(0, 2000)}`);
      }
      [url, body] = [new URL(form.action, url), form.body];
    }
    throw new Error(`the browser did not arrive after ${STEPS_MAX} steps`);
  }

  async request(url, body) {
    const jar = this.cookies.get(url.hostname) ?? new Map();
    this.cookies.set(url.hostname, jar);
    const headers = { Accept: 'text/html' };
    if (jar.size > 0) headers.Cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const method = body ? 'POST' : 'GET';
    const response = await fetch(url, { method, body, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      jar.set(name, value);
    }
    return response;
  }
}

/** What the SDK's OAuth support asks of its host, kept in memory. */
function oauth(callback, browser) {
  let client, tokens, verifier, discovered;
  return {
    redirectUrl: callback.url,
    clientMetadataUrl,
    clientMetadata: {
      client_name: 'TypeScript SDK',
      redirect_uris: [callback.url],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    clientInformation: () => client,
    saveClientInformation: (information) => void (client = information),
    tokens: () => tokens,
    saveTokens: (issued) => void (tokens = issued),
    saveCodeVerifier: (value) => void (verifier = value),
    codeVerifier: () => verifier,
    saveDiscoveryState: (state) => void (discovered = state),
    discoveryState: () => discovered,
    redirectToAuthorization: (authorizationUrl) => browser.go(new URL(authorizationUrl), callback.url),
  };
}

/** Connects, and signs in first when the server asks for it. */
async function connect(callback) {
  const authProvider = oauth(callback, new Browser());
  const attempt = async () => {
    const transport = new sdk.StreamableHTTPClientTransport(new URL(url), { authProvider });
    // The first generation knows no such option and takes the newest revision that it speaks.
    const options = { versionNegotiation: { mode: 'auto' } };
    const client = new sdk.Client({ name: 'ts_login', version: '1.0.0' }, options);
    const isConnected = await afterSignIn(transport, callback, async () => {
      await client.connect(transport);
      return true;
    });
    return isConnected && client;
  };
  return (await attempt()) ?? (await attempt());
}

/** What `request` gives, or nothing when a person had to sign in, which has happened by then. */
async function afterSignIn(transport, callback, request) {
  try {
    return await request();
  } catch (error) {
    if (!(error instanceof sdk.UnauthorizedError) || !callback.answer) throw error;
    const answer = callback.answer;
    callback.answer = undefined;
    const code = answer.get('code');
    if (!code) throw new Error(`the authorization server answered ${answer}`);
    await transport.finishAuth(code, answer.get('iss') ?? undefined);
    return undefined;
  }
}

/** The result of the tool; its scopes may be others than those that connecting needs. */
async function call(client, callback) {
  const request = () => client.callTool({ name: tool, arguments: JSON.parse(toolArguments) });
  return (await afterSignIn(client.transport, callback, request)) ?? (await request());
}

/** What the server agreed to tell, and how the subscription ended when the server stopped. */
async function subscribe(client) {
  const subscription = await client.listen({ toolsListChanged: true });
  process.kill(Number(process.env.SERVER_PROCESS), 'SIGTERM');
  return { honored: subscription.honoredFilter, events: 0, end: await subscription.closed };
}

setTimeout(() => {
  console.error(`not done after ${RUN_SECONDS} seconds`);
  process.exit(1);
}, RUN_SECONDS * 1000).unref();

const callback = await Callback.listen();
const client = await connect(callback);
const { tools } = await client.listTools();
const result = await call(client, callback);
const protocol = client.getNegotiatedProtocolVersion?.() ?? client.transport.protocolVersion;
const subscription = process.env.SERVER_PROCESS && (await subscribe(client));
console.log(
  JSON.stringify({
    sdk: 'typescript',
    version: sdk.version,
    protocol,
    tools: tools.map(({ name }) => name),
    result,
    subscription,
  }),
);
await client.close();
callback.server.close();

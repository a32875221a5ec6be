// What the stories of browser_visit.mjs share: a real Chromium, pages that report whatever goes
// wrong in them, and the client's side of an authorization.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';

const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

// Long enough for a machine that has just installed its browser and runs everything else beside it.
const LAUNCH_MILLIS = 120_000;
const STEP_MILLIS = 60_000;

/** The program that MXCP_TEST_CHROMIUM names, or the first Chromium of the PATH. */
function findChromium() {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean);
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const candidates = names.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  const isProgram = (file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  };
  const found = process.env.MXCP_TEST_CHROMIUM || candidates.find(isProgram);
  assert(found, `there is none of ${names.join(', ')} on the PATH; scripts/browser installs one`);
  return found;
}

/** Starts a browser with playwright-core from `folder`; its profile is new and goes with it. */
export function launch(folder) {
  const { chromium } = createRequire(path.join(path.resolve(folder), 'package.json'))('playwright-core');
  // Chromium's sandbox does not start as root.
  return chromium.launch({
    executablePath: findChromium(),
    args: FLAGS,
    chromiumSandbox: process.getuid() !== 0,
    timeout: LAUNCH_MILLIS,
  });
}

/** One person's browser: its own cookies, one tab, and a list of what went wrong in it. */
export class Visitor {
  /** Everybody who has come, for the report when a story breaks off. */
  static all = [];

  /** `places` are what the addresses that the tab may talk to begin with. */
  static async arrive(browser, places, options = {}) {
    const visitor = new Visitor();
    visitor.faults = [];
    Visitor.all.push(visitor);
    visitor.context = await browser.newContext(options);
    await visitor.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    // Not every violation of the policy is a line in the console.
    await visitor.context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (violation) => {
        console.error(`CSP ${violation.effectiveDirective} blocked ${violation.blockedURI}`);
      });
    });
    visitor.page = await visitor.context.newPage();
    visitor.page.setDefaultTimeout(STEP_MILLIS);
    visitor.page.on('pageerror', (error) => visitor.faults.push(`script: ${error.message}`));
    visitor.page.on('console', (message) => {
      if (message.type() === 'error') visitor.faults.push(`console: ${message.text()}`);
    });
    visitor.context.on('request', (request) => {
      const isExpected = places.some((place) => request.url().startsWith(place));
      if (!isExpected) visitor.faults.push(`request to ${request.url()}`);
    });
    return visitor;
  }

  async fillLogin(username, password) {
    await this.page.getByLabel('User name').fill(username);
    await this.page.getByLabel('Password').fill(password);
  }

  /** Fills the login form and sends it. */
  async signIn(username, password) {
    await this.fillLogin(username, password);
    await this.press('Sign in');
  }

  /** Presses a button that leads to another page, and waits until that is there. */
  async press(name) {
    await this.#arriveBy(() => this.page.getByRole('button', { name, exact: true }).click());
  }

  /** The same with a key. */
  async pressKey(key) {
    await this.#arriveBy(() => this.page.keyboard.press(key));
  }

  async #arriveBy(step) {
    await Promise.all([this.page.waitForEvent('load'), step()]);
  }

  /** Waits until keys go to that field: a page gives it the focus when it is drawn, which may be after it was loaded. */
  async awaitFocus(label) {
    await this.page.getByLabel(label).and(this.page.locator(':focus')).waitFor();
  }

  /** Moves on by the keyboard until a control with that text has the focus. */
  async tabTo(text) {
    const focused = () => this.page.evaluate(() => document.activeElement.textContent.trim());
    for (let step = 0; step < 30 && (await focused()) !== text; step += 1) await this.page.keyboard.press('Tab');
    assert.equal(await focused(), text);
  }

  /** The headline: each page has exactly one. */
  async headline() {
    assert.equal(await this.page.locator('h1').count(), 1, `${this.page.url()} has one h1`);
    return (await this.page.locator('h1').innerText()).replaceAll(/\s+/g, ' ').trim();
  }

  /** The text that a person sees. */
  async text() {
    return (await this.page.locator('main').innerText()).replaceAll(/\s+/g, ' ');
  }

  /** Fails when anything went wrong that does not match one of `expected`. */
  assertNoFaults(expected = []) {
    const left = this.faults.filter((fault) => !expected.some((pattern) => pattern.test(fault)));
    assert.deepEqual(left, [], 'the browser complained');
  }

  async leave() {
    await this.context.close();
  }
}

/** A client's end of the redirect: a server on a free port that keeps what it is sent. */
export class Callback {
  static async listen() {
    const callback = new Callback();
    callback.server = createServer((request, response) => {
      const target = new URL(request.url, callback.url);
      const isCallback = target.pathname === '/callback';
      if (isCallback) callback.answer = target.searchParams;
      // 204 for the icon that browsers ask for, since an error would be a line in the console.
      response.writeHead(isCallback ? 200 : 204, { 'Content-Type': 'text/html', Connection: 'close' });
      response.end(isCallback ? '<!doctype html><title>client</title><h1>Back in the client</h1>' : '');
    });
    await new Promise((resolve) => callback.server.listen(0, '127.0.0.1', resolve));
    callback.origin = `http://127.0.0.1:${callback.server.address().port}`;
    callback.url = `${callback.origin}/callback`;
    return callback;
  }

  /** What came, once. */
  take() {
    const answer = this.answer;
    this.answer = undefined;
    assert(answer, 'the client got an answer');
    return answer;
  }

  close() {
    this.server.close();
  }
}

/** A public client that registered itself. */
export class Client {
  static async register(base, name, redirectUri) {
    const response = await fetch(`${base}/register`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        client_name: name,
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      }),
    });
    assert.equal(response.status, 201, await response.clone().text());
    const { client_id: id } = await response.json();
    return Object.assign(new Client(), { base, id, redirectUri });
  }

  /** A fresh authorization request (RFC 6749 section 4.1.1, RFC 7636, RFC 8707). */
  authorizeUrl() {
    this.verifier = randomBytes(32).toString('base64url');
    this.state = randomBytes(16).toString('base64url');
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: this.id,
      redirect_uri: this.redirectUri,
      state: this.state,
      code_challenge: createHash('sha256').update(this.verifier).digest('base64url'),
      code_challenge_method: 'S256',
      resource: `${this.base}/mcp`,
    });
    return `${this.base}/authorize?${query}`;
  }

  /** Exchanges a code; gives the status and the answer. */
  async redeem(code) {
    const response = await fetch(`${this.base}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: this.id,
        redirect_uri: this.redirectUri,
        code,
        code_verifier: this.verifier,
        resource: `${this.base}/mcp`,
      }),
    });
    return { status: response.status, ...(await response.json()) };
  }
}

// Visits the server's pages in a real Chromium, as a person would.
//
// Needs the quickstart's people and tools. FOLDER is where scripts/browser has installed
// playwright-core, URL the server's base URL, STORY the name of one of the stories below. Says
// nothing when all went well; otherwise says what did not, and fails.
//
//     browser_visit.mjs FOLDER URL STORY
//     browser_visit.mjs FOLDER URL choice URL-OF-THE-PROVIDER

import assert from 'node:assert/strict';
import { Callback, Client, Visitor, launch } from './browser_rig.mjs';

const TOOLS = ['customer_profile', 'my_documents', 'orders_by_day', 'revenue_report', 'search_books'];
const CLIENTS = ['Claude', 'Claude Code', 'Cursor', 'VS Code', 'MCP Inspector'];
// What Chromium itself writes for every page whose status says that something was refused.
const REFUSED = (status) => new RegExp(`status of ${status} `);

const [folder, base, story] = process.argv.slice(2);

const stories = {
  /** A person signs in at the second try, sees who they are, and signs out. */
  async visit(browser) {
    const ada = await Visitor.arrive(browser, [`${base}/`]);
    const { page } = ada;
    await page.goto(base);
    assert.equal(await ada.headline(), 'Sign in');
    await ada.signIn('ada', 'difference-engine');
    assert.equal(await page.getByRole('alert').innerText(), 'The name or the password is wrong.');
    await ada.signIn('ada', 'analytical-engine');
    assert.equal(page.url(), `${base}/`);
    assert.equal(await ada.headline(), 'bookshop');
    assert.match(await ada.text(), /You are signed in as Ada Falk\./);
    assert.deepEqual(await details(page), {
      'User name': 'ada',
      'E-mail': 'ada@example.com',
      'Signed in by': 'local',
      Role: 'admin',
      Groups: 'management',
      Permissions: 'reports.read, customers.read',
    });
    assert.deepEqual(await page.locator('.tools code').allInnerTexts(), TOOLS);
    await copyEverySnippet(page);
    await ada.press('Sign out');
    assert.equal(await ada.headline(), 'You are signed out');
    await page.goBack();
    assert.equal(await ada.headline(), 'Sign in', 'the way back shows nothing of the session');
    await page.goto(base);
    assert.equal(await ada.headline(), 'Sign in');
    ada.assertNoFaults([REFUSED(403)]);
    await ada.leave();
  },

  /** A client is allowed once, and asks for the password alone the next time; another is refused. */
  async authorization(browser) {
    const callback = await Callback.listen();
    const ben = await Visitor.arrive(browser, [`${base}/`, callback.url]);
    const reader = await Client.register(base, 'Reading Room', callback.url);
    await ben.page.goto(reader.authorizeUrl());
    assert.equal(await ben.headline(), 'Allow Reading Room to use this server as you?');
    const text = await ben.text();
    for (const part of [reader.id, '127.0.0.1', 'mxcp:access', 'a program on your own machine']) {
      assert(text.includes(part), `the consent page says ${part}: ${text}`);
    }
    await ben.press('Allow');
    assert.match(await ben.text(), /to go on to Reading Room/);
    await ben.signIn('ben', 'lightning-rod');
    await assertCodeWorks(ben, reader, callback);

    await ben.page.goto(reader.authorizeUrl());
    assert.equal(await ben.headline(), 'Sign in', 'the approval is remembered');
    await ben.signIn('ben', 'lightning-rod');
    await assertCodeWorks(ben, reader, callback);

    const stranger = await Client.register(base, 'Stranger', callback.url);
    await ben.page.goto(stranger.authorizeUrl());
    await ben.press('Refuse');
    const answer = callback.take();
    assert.deepEqual([answer.get('error'), answer.get('code')], ['access_denied', null]);
    assert.deepEqual([answer.get('state'), answer.get('iss')], [stranger.state, base]);
    ben.assertNoFaults();
    await ben.leave();
    callback.close();
  },

  /** The policy of the forms lets the browser go on to an application that is no web page. */
  async application(browser) {
    const client = await Client.register(base, 'Cursor', 'cursor://anysphere.cursor-retrieval/oauth/callback');
    for (const decision of ['Refuse', 'Allow']) {
      // A new tab each time: the old one is asking whether to open the application.
      const ada = await Visitor.arrive(browser, [`${base}/`, 'cursor://']);
      // The browser asks for this address only after the policy of the page has let it.
      const handover = ada.page.waitForRequest((request) => request.url().startsWith('cursor://'));
      await ada.page.goto(client.authorizeUrl());
      assert.match(await ada.text(), /the application that opens cursor: links/);
      const lead = async () => {
        if (decision === 'Allow') {
          await ada.press('Allow');
          await ada.fillLogin('ada', 'analytical-engine');
        }
        const last = decision === 'Allow' ? 'Sign in' : 'Refuse';
        await ada.page.getByRole('button', { name: last, exact: true }).click();
      };
      const [request] = await Promise.all([handover, lead()]);
      const answer = new URL(request.url()).searchParams;
      assert.deepEqual([answer.has('code'), answer.get('state')], [decision === 'Allow', client.state]);
      ada.assertNoFaults();
      await ada.leave();
    }
  },

  /** A person chooses GitHub, changes their mind, and chooses the password instead. */
  async choice(browser) {
    const provider = new URL(process.argv[5]).origin;
    const callback = await Callback.listen();
    const ada = await Visitor.arrive(browser, [`${base}/`, provider, callback.url]);
    const { page } = ada;
    await page.goto(base);
    assert.equal(await ada.headline(), 'Where do you want to sign in?');
    await assertFitAndNamed(ada, 'choice');
    await ada.press('Continue with GitHub');
    assert.equal(page.url(), `${base}/`);
    assert.match(await ada.text(), /You are signed in as The Octocat\./);
    await ada.press('Sign out');
    await page.goto(base);
    await ada.press('With a password of this server');
    await ada.signIn('ada', 'analytical-engine');
    assert.match(await ada.text(), /You are signed in as Ada Falk\./);
    await ada.press('Sign out');

    const reader = await Client.register(base, 'Reading Room', callback.url);
    await page.goto(reader.authorizeUrl());
    await ada.press('Allow');
    assert.match(await ada.text(), /To go on to Reading Room/);
    await ada.press('Continue with GitHub');
    await assertCodeWorks(ada, reader, callback);
    ada.assertNoFaults();
    await ada.leave();
    callback.close();
  },

  /** Ada watches the log: what is there, what happens, and only what she asks for. Ben may not. */
  async audit(browser) {
    const ada = await Visitor.arrive(browser, [`${base}/`]);
    const { page } = ada;
    await page.goto(base);
    await ada.signIn('ada', 'analytical-engine');
    await page.getByRole('link', { name: 'Audit log' }).click();
    await page.getByText('Live', { exact: true }).waitFor();
    const names = page.locator('#records tr td:nth-child(2)');
    await names.filter({ hasText: 'auth.audit_viewed' }).waitFor();
    await names.filter({ hasText: 'auth.login_succeeded' }).waitFor();
    await assertFitAndNamed(ada, 'audit log');

    // What others choose cannot become markup, and what they do comes by itself.
    const stranger = await Client.register(base, '<img src=x onerror=alert(1)>', 'http://127.0.0.1:1/callback');
    const registered = page.locator('#records tr', { hasText: 'auth.client_registered' }).first();
    await registered.locator('summary').click();
    await registered.getByText(stranger.id).first().waitFor();
    assert.equal(await page.locator('#records img').count(), 0);

    await page.getByLabel('Event').fill('viewer_refused');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByText('Live', { exact: true }).waitFor();
    const ben = await Visitor.arrive(browser, [`${base}/`]);
    await ben.page.goto(base);
    await ben.signIn('ben', 'lightning-rod');
    assert.equal(await ben.page.getByRole('link', { name: 'Audit log' }).count(), 0);
    await ben.page.goto(`${base}/audit`);
    assert.equal(await ben.headline(), 'You may not see the audit log');
    await names.filter({ hasText: 'auth.viewer_refused' }).waitFor();
    assert.deepEqual(await names.allInnerTexts(), ['auth.viewer_refused']);

    await page.getByRole('button', { name: 'Pause' }).click();
    await ben.page.goto(`${base}/audit`);
    await page.getByRole('button', { name: 'Go on (1)' }).click();
    assert.equal(await names.count(), 2);
    ada.assertNoFaults();
    ben.assertNoFaults([REFUSED(403)]);
    await ada.leave();
    await ben.leave();
  },

  /** On the screen of a telephone nothing has to be moved sideways; all pages name their parts. */
  async telephone(browser) {
    const ada = await Visitor.arrive(browser, [`${base}/`], { viewport: { width: 390, height: 844 } });
    const { page } = ada;
    const local = await Client.register(base, 'A client with a rather long name', 'http://127.0.0.1:1/callback');
    const host = `${'long-name.'.repeat(8)}example.com`;
    const remote = await Client.register(base, 'W'.repeat(60), `https://${host}/callback`);
    const pages = {
      consent: () => page.goto(local.authorizeUrl()),
      'consent for a long name': () => page.goto(remote.authorizeUrl()),
      'login for a long name': () => ada.press('Allow'),
      login: () => page.goto(base),
      'login with a message': () => ada.signIn('ada', 'x'),
      home: () => ada.signIn('ada', 'analytical-engine'),
      'consent while signed in': () => page.goto(local.authorizeUrl()),
      error: () => page.goto(`${base}/authorize?client_id=unknown`),
      'signed out': async () => {
        await page.goto(base);
        await ada.press('Sign out');
      },
    };
    for (const [name, open] of Object.entries(pages)) {
      await open();
      await assertFitAndNamed(ada, name);
    }
    ada.assertNoFaults([REFUSED(400), REFUSED(403)]);
    await ada.leave();
  },

  /** Signing in, copying and signing out work without a mouse. */
  async keyboard(browser) {
    const ben = await Visitor.arrive(browser, [`${base}/`]);
    const { keyboard } = ben.page;
    await ben.page.goto(base);
    await ben.awaitFocus('User name');
    await keyboard.type('ben');
    await keyboard.press('Tab');
    await keyboard.type('wrong');
    await ben.pressKey('Enter');
    // The name is kept, and the password is where the cursor is.
    await ben.awaitFocus('Password');
    await keyboard.type('lightning-rod');
    await keyboard.press('Tab');
    await ben.pressKey('Enter');
    assert.match(await ben.text(), /You are signed in as Ben Rehn\./);
    await ben.tabTo('Copy');
    await keyboard.press('Enter');
    await ben.page.getByRole('button', { name: 'Copied' }).waitFor();
    await ben.page.reload();
    await ben.tabTo('Sign out');
    await ben.pressKey('Enter');
    assert.equal(await ben.headline(), 'You are signed out');
    ben.assertNoFaults([REFUSED(403)]);
    await ben.leave();
  },
};

/** The definition list of a page. */
async function details(page) {
  const names = await page.locator('dt').allInnerTexts();
  const values = await page.locator('dd').allInnerTexts();
  return Object.fromEntries(names.map((name, index) => [name, values[index]]));
}

async function copyEverySnippet(page) {
  const snippets = page.locator('.snippet');
  assert.deepEqual(await snippets.locator('h3').allInnerTexts(), CLIENTS);
  for (const snippet of await snippets.all()) {
    await snippet.getByRole('button', { name: 'Copy' }).click();
    await snippet.getByRole('button', { name: 'Copied' }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(copied, await snippet.locator('code').textContent());
    assert(copied.includes(`${base}/mcp`), copied);
  }
}

async function assertCodeWorks(visitor, client, callback) {
  assert.equal(await visitor.headline().catch(() => ''), 'Back in the client');
  const answer = callback.take();
  assert.deepEqual([answer.get('state'), answer.get('iss')], [client.state, base]);
  const tokens = await client.redeem(answer.get('code'));
  assert.equal(tokens.status, 200, JSON.stringify(tokens));
  assert(tokens.access_token);
}

async function assertFitAndNamed(visitor, name) {
  const { page } = visitor;
  await visitor.headline();
  const found = await page.evaluate(() => ({
    lang: document.documentElement.lang,
    title: document.title,
    mains: document.querySelectorAll('main').length,
    unnamed: [...document.querySelectorAll('input:not([type=hidden])')].filter((input) => !input.labels.length).length,
    empty: [...document.querySelectorAll('button, a')].filter((control) => !control.textContent.trim()).length,
    tooWide: [...document.querySelectorAll('body *')]
      .filter((element) => element.getBoundingClientRect().right > window.innerWidth)
      .map((element) => element.outerHTML.slice(0, 80)),
    scrolls: document.documentElement.scrollWidth > window.innerWidth,
  }));
  const { title, ...rest } = found;
  assert(title.includes('bookshop'), `${name}: the title names the project: ${title}`);
  assert.deepEqual(rest, { lang: 'en', mains: 1, unnamed: 0, empty: 0, tooWide: [], scrolls: false }, name);
}

const tell = stories[story];
assert(tell, `there is no story ${story}; there are ${Object.keys(stories).join(', ')}`);
const browser = await launch(folder);
try {
  await tell(browser);
} catch (error) {
  // A step that never ends is often one that the browser has forbidden.
  console.error(Visitor.all.flatMap((visitor) => visitor.faults).join('\n'));
  throw error;
} finally {
  await browser.close();
}

// Reads resources, uses a prompt and calls a tool with the TypeScript SDK, without signing in.
//
// Runs with the SDK of both major versions; SDK_FOLDER is where one of them is installed. Prints one
// line of JSON: {"resources", "templates", "prompts", "contents", "refused", "messages", "rows"}.
//
//     ts_read.mjs SDK_FOLDER URL RESOURCE REFUSED PROMPT ARGUMENTS SQL

import { createRequire } from 'node:module';
import path from 'node:path';

const RUN_SECONDS = 120;
const [folder, url, resource, refused, prompt, promptArguments, sql] = process.argv.slice(2);
const sdk = loadSdk(folder);

/** Loads whichever generation of the SDK is installed in `folder`. */
function loadSdk(folder) {
  const require = createRequire(path.join(path.resolve(folder), 'package.json'));
  try {
    const { Client, StreamableHTTPClientTransport } = require('@modelcontextprotocol/client');
    return { Client, StreamableHTTPClientTransport };
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
  }
  const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
  const { StreamableHTTPClientTransport } = require('@modelcontextprotocol/sdk/client/streamableHttp.js');
  return { Client, StreamableHTTPClientTransport };
}

async function refusal(reading) {
  try {
    await reading;
  } catch ({ code, message }) {
    return { code, message };
  }
  return null;
}

setTimeout(() => {
  console.error(`not done after ${RUN_SECONDS} seconds`);
  process.exit(1);
}, RUN_SECONDS * 1000).unref();

// The first generation knows no such option and takes the newest revision that it speaks.
const options = { versionNegotiation: { mode: 'auto' } };
const client = new sdk.Client({ name: 'ts_read', version: '1.0.0' }, options);
await client.connect(new sdk.StreamableHTTPClientTransport(new URL(url)));
console.log(
  JSON.stringify({
    resources: (await client.listResources()).resources,
    templates: (await client.listResourceTemplates()).resourceTemplates,
    prompts: (await client.listPrompts()).prompts,
    contents: (await client.readResource({ uri: resource })).contents,
    refused: await refusal(client.readResource({ uri: refused })),
    messages: (await client.getPrompt({ name: prompt, arguments: JSON.parse(promptArguments) })).messages,
    rows: (await client.callTool({ name: 'execute_sql_query', arguments: { sql } })).content,
  }),
);
await client.close();

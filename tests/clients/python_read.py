"""Reads resources, uses a prompt and calls a tool with the Python SDK, without signing in.

Runs with the `mcp` package of both major versions. Prints one line of JSON: {"resources",
"templates", "prompts", "contents", "refused", "messages", "rows"}.

    python_read.py URL RESOURCE REFUSED PROMPT ARGUMENTS SQL
"""

import asyncio
import json
import sys
from importlib.metadata import version

from mcp.client.streamable_http import streamable_http_client

IS_SECOND_GENERATION = int(version("mcp").split(".")[0]) >= 2
if IS_SECOND_GENERATION:
    from mcp import Client
else:
    from mcp import ClientSession

RUN_SECONDS = 120


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


async def refusal(reading):
    try:
        await reading
    except Exception as error:  # Each generation has a type of its own.
        return {"code": error.error.code, "message": error.error.message}
    return None


async def use(client, resource, refused, prompt, arguments, sql):
    report = {
        "resources": plain(await client.list_resources())["resources"],
        "templates": plain(await client.list_resource_templates())["resourceTemplates"],
        "prompts": plain(await client.list_prompts())["prompts"],
        "contents": plain(await client.read_resource(resource))["contents"],
        "refused": await refusal(client.read_resource(refused)),
        "messages": plain(await client.get_prompt(prompt, json.loads(arguments)))["messages"],
        "rows": plain(await client.call_tool("execute_sql_query", {"sql": sql}))["content"],
    }
    print(json.dumps(report))


async def main(url, *wishes):
    if IS_SECOND_GENERATION:
        async with Client(streamable_http_client(url)) as client:
            await use(client, *wishes)
    else:
        async with streamable_http_client(url) as (reading, writing, _):
            async with ClientSession(reading, writing) as session:
                await session.initialize()
                await use(session, *wishes)


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), RUN_SECONDS))

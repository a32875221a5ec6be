"""Calls one tool without arguments with the Python SDK and an access token that it was given.

Runs with the `mcp` package of both major versions. Prints one line of JSON: {"tools", "result"}.

    python_token.py URL TOKEN TOOL
"""

import asyncio
import json
import sys
from importlib.metadata import version

from mcp.client.streamable_http import streamable_http_client

IS_SECOND_GENERATION = int(version("mcp").split(".")[0]) >= 2
if IS_SECOND_GENERATION:
    import httpx2 as httpx
    from mcp import Client
else:
    import httpx
    from mcp import ClientSession

TIMEOUT_SECONDS = 30
RUN_SECONDS = 120


async def use(client, tool):
    tools = await client.list_tools()
    result = await client.call_tool(tool, {})
    names = sorted(listed.name for listed in tools.tools)
    print(json.dumps({"tools": names, "result": result.model_dump(mode="json", by_alias=True, exclude_none=True)}))


async def main(url, token, tool):
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, timeout=TIMEOUT_SECONDS) as http_client:
        if IS_SECOND_GENERATION:
            async with Client(streamable_http_client(url, http_client=http_client)) as client:
                await use(client, tool)
        else:
            async with streamable_http_client(url, http_client=http_client) as (reading, writing, _):
                async with ClientSession(reading, writing) as session:
                    await session.initialize()
                    await use(session, tool)


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), RUN_SECONDS))

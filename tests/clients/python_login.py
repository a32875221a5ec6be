"""Signs in to an MCP server with the Python SDK and calls one tool.

Knows the server's URL and a person's name and password, nothing else: the SDK finds the
authorization server, registers a client and exchanges the code, and the browser below does
what the person would do. Runs with the `mcp` package of both major versions.

With the process of the server in the variable SERVER_PROCESS it then subscribes to changes (second
generation only), asks the server to stop and waits for the end of the subscription.

Prints one line of JSON: {"sdk", "version", "protocol", "tools", "result", "subscription"}.

With CLIENT_METADATA_URL the client is not registered: that URL of a document is its client_id.

    python_login.py URL USER PASSWORD TOOL ARGUMENTS [CLIENT_METADATA_URL]
"""

import asyncio
import http.client
import json
import os
import signal
import sys
import threading
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

SDK_VERSION = version("mcp")
IS_SECOND_GENERATION = int(SDK_VERSION.split(".")[0]) >= 2
if IS_SECOND_GENERATION:
    import httpx2 as httpx
    from mcp import Client
    from mcp.shared.auth import AuthorizationCodeResult
else:
    import httpx
    from mcp import ClientSession

TIMEOUT_SECONDS = 30
RUN_SECONDS = 120
STEPS_MAX = 20


class Callback:
    """The client's end of the redirect: a server on a free port that keeps what it is sent."""

    def __init__(self):
        self.answer = None
        callback = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urlsplit(self.path)
                if parts.path == "/callback":
                    callback.answer = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(200 if parts.path == "/callback" else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Keeps standard error for faults."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/callback"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Form(HTMLParser):
    """The first form of a page: where it goes, its fields, and its buttons."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields, self.buttons, self.state = None, [], [], "before"
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form" and self.state == "before":
            self.action, self.state = attrs.get("action") or "", "inside"
        elif tag == "input" and self.state == "inside" and attrs.get("name"):
            self.fields.append((attrs["name"], attrs.get("type", "text"), attrs.get("value") or ""))
        elif tag == "button" and self.state == "inside" and attrs.get("type", "submit") == "submit":
            self.buttons.append((attrs.get("name"), attrs.get("value") or ""))

    def handle_endtag(self, tag):
        if tag == "form" and self.state == "inside":
            self.state = "after"

    def filled_in(self, user, password):
        """What a person sends who agrees and signs in."""
        values = []
        for name, kind, value in self.fields:
            if kind == "password":
                value = password
            elif name == "username":
                value = user
            values.append((name, value))
        approving = [button for button in self.buttons if button[1] == "approve"] or self.buttons
        return values + [button for button in approving[:1] if button[0]]


class Browser:
    """A person at a browser: goes one hop at a time, keeps cookies, fills in forms."""

    def __init__(self, user, password):
        self.user, self.password, self.cookies = user, password, {}

    def go(self, url, until):
        """Opens `url` and goes on until `until` was visited."""
        body = None
        for _ in range(STEPS_MAX):
            status, headers, page = self.request(url, body)
            if url.split("?")[0] == until:
                return
            if status in (302, 303):
                url, body = urljoin(url, headers["Location"]), None
                continue
            form = Form(page)
            if status != 200 or form.action is None:
                raise RuntimeError(f"the browser is stuck at {url.split('?')[0]} with status {status}: {page[:2000]}")
            url, body = urljoin(url, form.action), urlencode(form.filled_in(self.user, self.password))
        raise RuntimeError(f"the browser did not arrive after {STEPS_MAX} steps")

    def request(self, url, body):
        parts = urlsplit(url)
        jar = self.cookies.setdefault(parts.hostname, {})
        headers = {"Accept": "text/html"}
        if jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request("GET" if body is None else "POST", target or "/", body, headers)
            response = connection.getresponse()
            page = response.read().decode()
        finally:
            connection.close()
        for line in response.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                jar[name] = morsel.value
        return response.status, response.headers, page


class MemoryStorage:
    """Where the SDK keeps its tokens and its registration."""

    def __init__(self):
        self.tokens = self.client_info = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client_info

    async def set_client_info(self, client_info):
        self.client_info = client_info


def oauth(url, user, password, client_metadata_url):
    """The SDK's OAuth support, with a person who signs in as `user`."""
    callback, browser = Callback(), Browser(user, password)

    async def redirect(authorization_url):
        await asyncio.to_thread(browser.go, authorization_url, callback.url)

    async def answer():
        if "error" in callback.answer:
            raise RuntimeError(f"the authorization server answered {callback.answer}")
        if IS_SECOND_GENERATION:
            return AuthorizationCodeResult(**{key: callback.answer.get(key) for key in ("code", "state", "iss")})
        return callback.answer["code"], callback.answer.get("state")

    metadata = OAuthClientMetadata(
        client_name="Python SDK",
        redirect_uris=[callback.url],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
    )
    storage = MemoryStorage()
    return OAuthClientProvider(url, metadata, storage, redirect, answer, client_metadata_url=client_metadata_url)


@asynccontextmanager
async def connect(url, http_client):
    """A client of the server, and the protocol version that they agreed on."""
    if IS_SECOND_GENERATION:
        async with Client(streamable_http_client(url, http_client=http_client)) as client:
            yield client, client.protocol_version
    else:
        async with streamable_http_client(url, http_client=http_client) as (reading, writing, _):
            async with ClientSession(reading, writing) as session:
                initialized = await session.initialize()
                yield session, initialized.protocolVersion


async def subscribe(client):
    """What the server agreed to tell, and how the subscription ended when the server stopped."""
    async with client.listen(tools_list_changed=True) as subscription:
        os.kill(int(os.environ["SERVER_PROCESS"]), signal.SIGTERM)
        # Ends when the server says that this was the end; otherwise it raises.
        events = [event async for event in subscription]
    honored = subscription.honored.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"honored": honored, "events": len(events), "end": "graceful"}


async def main(url, user, password, tool, arguments, client_metadata_url=None):
    auth = oauth(url, user, password, client_metadata_url)
    async with httpx.AsyncClient(auth=auth, timeout=TIMEOUT_SECONDS) as http_client:
        async with connect(url, http_client) as (client, protocol):
            tools = await client.list_tools()
            result = await client.call_tool(tool, json.loads(arguments))
            subscription = await subscribe(client) if "SERVER_PROCESS" in os.environ else None
    report = {
        "sdk": "python",
        "version": SDK_VERSION,
        "protocol": str(protocol),
        "tools": [listed.name for listed in tools.tools],
        "result": result.model_dump(mode="json", by_alias=True, exclude_none=True),
        "subscription": subscription,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), RUN_SECONDS))

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpcore2
import httpx2
import pytest
from pytest_django import Settings

from apps.core import outbound
from apps.core.outbound import OutboundLimit, OutboundRefused

# Written in every way that a resolver or a parser may read as an address of our own network.
REFUSED_URLS = [
    "https://api..example.com/",
    f"https://{'a' * 64}.example.com/",
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "//example.com/",
    "example.com",
    "https://",
    "https:///path",
    "https://example.com:80/",
    "https://example.com:8443/",
    "https://example.com:22/",
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://example.com@127.0.0.1/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://api.localhost/",
    "https://printer.local/",
    "https://metadata.google.internal/",
    "https://intranet/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.1/",
    "https://127.0.0.1./",
    "https://127.0.0.0x1/",
    "https://10.0.0.1/",
    "https://10.255.255.255/",
    "https://172.16.0.1/",
    "https://172.31.255.254/",
    "https://192.168.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://169.254.170.2/",
    "https://100.64.0.1/",
    "https://100.100.100.200/",
    "https://192.0.0.1/",
    "https://192.0.2.1/",
    "https://192.88.99.1/",
    "https://198.18.0.1/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::808:808]/",
    "https://[64:ff9b:1::1]/",
    "https://[100::1]/",
    "https://[2001::1]/",
    "https://[2001:db8::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:808:808::]/",
    "https://[3fff::1]/",
    "https://[5f00::1]/",
    "https://[fc00::1]/",
    "https://[fd12:3456::1]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://" + "a" * 260 + ".com/",
]


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_check_url__not_public_https__is_refused(url: str) -> None:
    with pytest.raises(OutboundRefused):
        outbound.check_url(url)


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_client__not_public_https__never_connects(url: str, listener: "Listener") -> None:
    with (
        outbound.public_client(resolve=lambda host, port: ["127.0.0.1"]) as client,
        pytest.raises((OutboundRefused, httpx2.UnsupportedProtocol, httpx2.InvalidURL)),
    ):
        client.get(url)
    assert listener.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://EXAMPLE.com:443/x?y=z",
        "https://8.8.8.8/",
        "https://[2606:4700::1]/",
    ],
)
def test_check_url__public_https__passes(url: str) -> None:
    assert outbound.check_url(url) == url


class Listener:
    """A real server on the loopback that remembers what reached it."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(f"{self.headers['Host']}{self.path}")
                if self.path == "/redirect":
                    self.send_response(302)
                    self.send_header("Location", "/there")
                    self.end_headers()
                    return
                body = b"x" * int(self.path.rpartition("/")[2] or 2)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield found
    found.server.shutdown()
    found.server.server_close()


def loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


async def loopback_async(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        ["fe80::1%eth0"],
        ["8.8.8.8", "127.0.0.1"],
        ["127.0.0.1", "8.8.8.8"],
        [],
        ["not an address"],
    ],
)
def test_client__name_resolves_inside__is_refused(answers: list[str]) -> None:
    with outbound.public_client(resolve=lambda host, port: answers) as client, pytest.raises(OutboundRefused):
        client.get("https://rebind.example.com/")


def test_client__rebinding_name__is_resolved_once_per_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [["8.8.8.8"], ["127.0.0.1"]]
    asked, connected = [], []

    def rebind(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers.pop(0)

    def connect(self: object, host: str, *args: object, **kwargs: object) -> None:
        connected.append(host)
        raise httpcore2.ConnectError("observed")

    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", connect)
    for expected in (httpx2.ConnectError, OutboundRefused):
        with outbound.public_client(resolve=rebind) as client, pytest.raises(expected):
            client.get("https://rebind.example.com/")
    assert asked == ["rebind.example.com"] * 2
    assert connected == ["8.8.8.8"]


def test_client__allowed_host__is_called_by_name(settings: Settings, listener: Listener) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = [f"models.test:{listener.port}"]
    with outbound.public_client(resolve=loopback) as client:
        answer = client.get(f"http://models.test:{listener.port}/5")
    assert answer.content == b"xxxxx"
    assert listener.requests == [f"models.test:{listener.port}/5"]


def test_client__allowed_host_on_another_port__is_refused(settings: Settings, listener: Listener) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = [f"models.test:{listener.port + 1}"]
    with outbound.public_client(resolve=loopback) as client, pytest.raises(OutboundRefused):
        client.get(f"http://models.test:{listener.port}/5")
    assert listener.requests == []


def test_client__redirect__is_refused_even_where_the_client_would_follow(
    settings: Settings, listener: Listener
) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = [f"models.test:{listener.port}"]
    transport = outbound.public_address_transport(resolve=loopback)
    with (
        httpx2.Client(transport=transport, trust_env=False, follow_redirects=True) as client,
        pytest.raises(OutboundLimit),
    ):
        client.get(f"http://models.test:{listener.port}/redirect")
    assert len(listener.requests) == 1


def test_client__large_answer__is_cut(settings: Settings, listener: Listener) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = [f"models.test:{listener.port}"]
    with outbound.public_client(resolve=loopback, size_limit=1000) as client:
        assert len(client.get(f"http://models.test:{listener.port}/1000").content) == 1000
        with pytest.raises(OutboundLimit):
            client.get(f"http://models.test:{listener.port}/1001")


def test_client__time_used_up__is_cut(settings: Settings, listener: Listener) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = [f"models.test:{listener.port}"]
    with (
        outbound.public_client(resolve=loopback, time_limit_seconds=-1) as client,
        pytest.raises((OutboundLimit, httpx2.TimeoutException)),
    ):
        client.get(f"http://models.test:{listener.port}/10")


def test_client__proxy_in_the_environment__is_not_used(
    settings: Settings, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.port}")
    with outbound.public_client(resolve=loopback) as client, pytest.raises(OutboundRefused):
        client.get("https://example.com/")
    assert listener.requests == []


def test_async_client__same_rules(settings: Settings, listener: Listener) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = [f"models.test:{listener.port}"]

    async def scenario() -> bytes:
        async with outbound.async_public_client(resolve=loopback_async, size_limit=100) as client:
            with pytest.raises(OutboundRefused):
                await client.get("https://rebind.example.com/")
            with pytest.raises(OutboundRefused):
                await client.get("https://127.0.0.1/")
            with pytest.raises(OutboundLimit):
                await client.get(f"http://models.test:{listener.port}/redirect")
            with pytest.raises(OutboundLimit):
                await client.get(f"http://models.test:{listener.port}/101")
            return (await client.get(f"http://models.test:{listener.port}/7")).content

    assert asyncio.run(scenario()) == b"x" * 7


def test_async_client__slow_resolver__times_out(settings: Settings) -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async def scenario() -> None:
        async with outbound.async_public_client(resolve=never, timeout=0.05) as client:
            with pytest.raises(httpx2.ConnectTimeout):
                await client.get("https://example.com/")

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["a..example.com", f"{'a' * 64}.example.com", ".", "a\0b.example.com"])
def test_resolve__what_is_no_name__has_no_address(name: str) -> None:
    assert outbound.resolve(name, 443) == []
    assert asyncio.run(outbound.resolve_async(name, 443)) == []


def test_resolve__unknown_name__has_no_address() -> None:
    assert outbound.resolve("nowhere.invalid", 443) == []
    assert outbound.resolve("127.0.0.1", 443) == ["127.0.0.1"]

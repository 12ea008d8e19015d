"""How fast the gateway is: `python -m bench.gateway`, with PEERS=1 beside its peers in the same run.

One server process on one core; wrk, the upstreams, Postgres and Valkey on the other. Everything is on that a
customer would have on: keys, limits, labels, rendering, guardrails, the monthly quota, and each answer goes
out after the commit of its run, content and usage on a Postgres that writes through. Every comparison is
made in one run; figures are medians of three rounds. Needs nginx and wrk.
"""

import os
import platform
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import orjson

from bench.own_database import BENCH, own_database
from bench.serving import ours, peers
from bench.serving.cores import largest_megabytes
from bench.serving.streams import Streamed, post, stream_all
from bench.serving.table import Line, print_lines, write_lines
from bench.serving.upstreams import CHUNKS, WAIT_MS, Upstreams, require_programs, upstreams
from bench.serving.wrk import Call, Rounds, measure
from promptsaas.serving import Address

ROUNDS = int(os.environ.get("ROUNDS") or 3)
SECONDS = float(os.environ.get("SECONDS_EACH") or 4)
WARM_UP_SECONDS = 3.0
STREAMS, MOST_STREAMS, FEW_STREAMS = 500, 2000, 20


class Figures:
    """Everything that was measured, by name."""

    def __init__(self) -> None:
        self.rounds: dict[str, Rounds] = {}
        self.streams: dict[str, list[Streamed]] = {}
        self.megabytes = 0.0
        self.most_megabytes = 0.0

    def take(self, name: str, call: Call, *, connections: int, pid: int | None = None) -> None:
        """Measure once more."""
        load = measure(call, connections=connections, seconds=SECONDS, pid=pid)
        self.rounds.setdefault(name, Rounds()).loads.append(load)

    def stream(self, name: str, port: int, request: bytes, streams: int) -> None:
        """Stream once more."""
        found = stream_all(port, request, streams=streams, pieces=CHUNKS)
        self.streams.setdefault(name, []).append(found)


def main() -> int:
    """Measure and print; 1 when a bar does not hold or a request failed."""
    require_programs()
    with_peers = os.environ.get("PEERS", "") not in ("", "0")
    if with_peers:
        peers.install()
    figures = Figures()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        stack.enter_context(own_database(BENCH))
        ports = stack.enter_context(upstreams())
        prepared = ours.prepare(ports)
        if with_peers:
            measure_peers(figures, ports, place)
        address, pid = stack.enter_context(ours.gateway(ports))
        measure_ours(figures, ports, prepared, address, pid, place)
        measure_streams(figures, ports, prepared, address, pid)
    return report(figures)


def measure_ours(
    figures: Figures, ports: Upstreams, prepared: ours.Prepared, address: Address, pid: int, place: Path
) -> None:
    """Runs at once and after 50 ms, fetches, and the upstream by itself, round after round."""
    instant = ours.chat_call(address, prepared, place)
    waiting = ours.chat_call(address, prepared, place, "waiting")
    fetch = ours.fetch_call(address, prepared)
    direct = direct_call(ports.instant, place)
    for call in (instant, waiting, fetch):
        _demand_answer(call)
        measure(call, connections=16, seconds=WARM_UP_SECONDS)
    for _ in range(ROUNDS):
        figures.take("direct at 1", direct, connections=1)
        figures.take("run at 1", instant, connections=1, pid=pid)
        figures.take("run at 16", instant, connections=16, pid=pid)
        figures.take("run at 64", instant, connections=64, pid=pid)
        figures.take("fetch at 64", fetch, connections=64, pid=pid)
        figures.take("run after 50 ms", waiting, connections=256, pid=pid)


def measure_peers(figures: Figures, ports: Upstreams, place: Path) -> None:
    """Each peer alone on the core, asked for the same messages from the same upstream."""
    ours.move_servers()
    direct = direct_call(ports.instant, place)
    starts = [peers.litellm(ports.instant, place), peers.portkey(ports.instant, place), peers.phoenix(place)]
    for start in starts:
        with start as peer:
            _demand_answer(peer.call)
            measure(peer.call, connections=16, seconds=WARM_UP_SECONDS)
            for _ in range(ROUNDS):
                figures.take(f"{peer.name} direct at 1", direct, connections=1)
                figures.take(f"{peer.name} at 1", peer.call, connections=1, pid=peer.pid)
                figures.take(f"{peer.name} at 64", peer.call, connections=64, pid=peer.pid)


def measure_streams(
    figures: Figures, ports: Upstreams, prepared: ours.Prepared, address: Address, pid: int
) -> None:
    """Few streams for the time to the first piece, direct and through us; then many at once."""
    direct = post("/v1/chat/completions", orjson.dumps({"stream": True, "messages": []}), "none")
    body = orjson.dumps(ours.chat_body("streaming", stream=True))
    through = post("/v1/chat/completions", body, prepared.token)
    figures.stream("warm-up", address.port, through, FEW_STREAMS)
    for _ in range(ROUNDS):
        figures.stream("direct", ports.streaming, direct, FEW_STREAMS)
        figures.stream("through", address.port, through, FEW_STREAMS)
    figures.stream("many", address.port, through, STREAMS)
    figures.megabytes = largest_megabytes(pid)
    figures.stream("most", address.port, through, MOST_STREAMS)
    figures.most_megabytes = largest_megabytes(pid)


def direct_call(port: int, place: Path) -> Call:
    """The upstream without anybody between."""
    return Call(f"http://127.0.0.1:{port}", "POST", "/v1/chat/completions", peers.chat_file(place))


def lines_of(figures: Figures) -> list[Line]:
    """The table of the issue: what must hold, and the goals."""
    rounds = figures.rounds
    run, one, fetch = rounds["run at 64"], rounds["run at 1"], rounds["fetch at 64"]
    added = one.middle("p50") - rounds["direct at 1"].middle("p50")
    litellm, portkey = _peer(rounds, "LiteLLM proxy, no database"), _peer(rounds, "Portkey gateway")
    phoenix = _peer(rounds, "Phoenix")
    many, most = figures.streams["many"][0], figures.streams["most"][0]
    extra = _first_piece(figures.streams["through"]) - _first_piece(figures.streams["direct"])
    runs = run.middle("per_second")
    return [
        Line(
            "run, 64 connections",
            runs,
            "/s",
            2500,
            5000,
            peer="LiteLLM proxy, no database",
            peer_value=litellm,
            times=10,
        ),
        Line(
            "run, 64 connections",
            runs,
            "/s",
            2500,
            5000,
            peer="Portkey gateway",
            peer_value=portkey,
            times=1.5,
        ),
        Line("run, added p50 at 1 connection", added, "ms", 1.5, 0.6, at_least=False),
        Line("run, p99 at 64 connections", run.middle("p99"), "ms", 60, 20, at_least=False),
        Line(
            "fetch by label, 64 connections",
            fetch.middle("per_second"),
            "/s",
            10_000,
            25_000,
            peer="Phoenix",
            peer_value=phoenix,
            times=20,
        ),
        Line(
            f"run, {WAIT_MS} ms upstream, 256 connections",
            rounds["run after 50 ms"].middle("per_second"),
            "/s",
            3000,
            4500,
        ),
        Line("stream, extra time to first piece, p95", extra, "ms", 5, 2, at_least=False),
        Line(f"stream, {STREAMS} at once: whole", len(many.first_pieces), "streams", STREAMS, STREAMS),
        Line(
            f"stream, {MOST_STREAMS} at once: whole", len(most.first_pieces), "streams", STREAMS, MOST_STREAMS
        ),
        Line(
            f"memory after all runs and {STREAMS} streams at once",
            figures.megabytes,
            "MB",
            200,
            120,
            at_least=False,
        ),
    ]


def report(figures: Figures) -> int:
    """Print everything and write the file."""
    lines = lines_of(figures)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, {machine}\n")
    print_lines(lines)
    print("\n| measured | /s | p50 ms | p95 ms | p99 ms | processor µs each | failed |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, rounds in figures.rounds.items():
        shares = " | ".join(f"{rounds.middle(each):,.2f}" for each in ("p50", "p95", "p99"))
        cost = f"{rounds.processor_microseconds:,.0f}" if rounds.middle("server_seconds") else ""
        print(f"| {name} | {rounds.middle('per_second'):,.0f} | {shares} | {cost} | {rounds.failures} |")
    for name, streamed in figures.streams.items():
        first = ", ".join(f"{each.percentile(0.95):,.1f}" for each in streamed)
        print(
            f"streams, {name}: first piece p95 {first} ms; dropped {sum(each.dropped for each in streamed)}"
        )
    print(f"memory after {MOST_STREAMS} streams at once: {figures.most_megabytes:,.0f} MB")
    write_lines("gateway", lines)
    failed = sum(rounds.failures for name, rounds in figures.rounds.items() if not name.startswith(PEERS))
    if failed:
        print(f"FAILED: {failed} requests")
    return 0 if not failed and all(line.holds for line in lines) else 1


PEERS = ("LiteLLM", "Portkey", "Phoenix")


def _peer(rounds: dict[str, Rounds], name: str) -> float | None:
    found = rounds.get(f"{name} at 64")
    return found.middle("per_second") if found else None


def _first_piece(streamed: list[Streamed]) -> float:
    return sorted(each.percentile(0.95) for each in streamed)[len(streamed) // 2]


def _demand_answer(call: Call) -> None:
    """Return once the server answers with 200; raises RuntimeError with what it says instead."""
    headers = dict(header.split(": ", 1) for header in call.headers)
    content = call.body.read_bytes() if call.body else None
    if content is not None:
        headers["Content-Type"] = "application/json"
    said = ""
    for _ in range(60):
        try:
            answer = httpx2.request(
                call.method, call.url + call.path, headers=headers, content=content, timeout=30
            )
        except httpx2.HTTPError as error:
            said = str(error)
        else:
            if answer.status_code == 200:
                return
            said = answer.text
        time.sleep(0.5)
    raise RuntimeError(f"{call.url}{call.path}: {said[:500]}")


if __name__ == "__main__":
    sys.exit(main())

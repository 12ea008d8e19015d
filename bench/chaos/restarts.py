"""Rolling restarts under load: `python -m bench.chaos.restarts [minutes] [seconds between] [runs a second]`.

Two gateway processes stand behind nginx as behind any load balancer; one after the other gets SIGTERM and is
started anew, while whole and streamed runs arrive at a steady rate. No request may fail, every answer must
stand in the database, and nothing may be run twice.
"""

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import orjson

from bench.chaos.checks import Check, missing, tell
from bench.chaos.steady_load import SteadyLoad
from bench.own_database import BENCH, own_database
from bench.serving import ours
from bench.serving.upstreams import Upstreams, free_port, running, upstreams

# Passed to the next server: what could not be connected to, and what a draining server gave back unrun.
BALANCER: Final = """
worker_processes 1; daemon off; pid {folder}/balancer.pid; error_log {folder}/balancer.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream gateways {{ {servers} keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://gateways; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_read_timeout 60s;
      proxy_next_upstream error http_503 non_idempotent; proxy_next_upstream_tries 2;
    }}
  }}
}}
"""


def main() -> int:
    """Run and print; 1 when a line says FAILED."""
    given = [float(each) for each in sys.argv[1:]]
    minutes, between, rate = [*given, *[5.0, 30.0, 60.0][len(given) :]]
    with ExitStack() as stack:
        stack.enter_context(own_database(BENCH))
        ports = stack.enter_context(upstreams())
        prepared = ours.prepare(ports)
        listening = [free_port(), free_port()]
        balancer = stack.enter_context(_balancer(listening))
        url = f"http://127.0.0.1:{balancer}/v1/chat/completions"
        whole = SteadyLoad([url], prepared.token, orjson.dumps(ours.chat_body("waiting")), rate)
        streamed = SteadyLoad(
            [url], prepared.token, orjson.dumps(ours.chat_body("streaming", stream=True)), rate / 10
        )
        restarts = asyncio.run(
            _restart_under_load([whole, streamed], ports, listening, minutes * 60, between)
        )
        return report(whole, streamed, restarts)


async def _restart_under_load(
    loads: list[SteadyLoad], ports: Upstreams, listening: list[int], seconds: float, between: float
) -> int:
    stacks = [ExitStack(), ExitStack()]
    for stack, port in zip(stacks, listening, strict=True):
        await asyncio.to_thread(stack.enter_context, ours.gateway(ports, core=None, port=port))
    restarts = 0
    async with loads[0].running(), loads[1].running():
        until = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < until:
            await asyncio.sleep(between)
            number = restarts % 2
            # Ends the process as its supervisor would, and waits for its end.
            await asyncio.to_thread(stacks[number].close)
            started = ours.gateway(ports, core=None, port=listening[number])
            await asyncio.to_thread(stacks[number].enter_context, started)
            restarts += 1
    for stack in stacks:
        await asyncio.to_thread(stack.close)
    return restarts


def report(whole: SteadyLoad, streamed: SteadyLoad, restarts: int) -> int:
    """Hold what clients were told against what stands in the database."""
    outcomes = [*whole.outcomes, *streamed.outcomes]
    failed = [outcome for outcome in outcomes if outcome.status != 200 or not outcome.whole]
    acknowledged = [outcome.run_id for outcome in outcomes if outcome.status == 200]
    runs, usage, doubled = missing(acknowledged)
    unasked = recorded() - len(set(acknowledged))
    statuses = Counter(outcome.status for outcome in outcomes)
    print(
        f"{len(whole.outcomes):,} whole and {len(streamed.outcomes):,} streamed runs, {restarts} restarts; "
        f"statuses {dict(sorted(statuses.items()))}"
    )
    for outcome in failed[:5]:
        print(f"        {outcome.status} {outcome.problem}")
    return tell(
        Check("failed requests", len(failed), not failed),
        Check("answers whose run is missing in the database", runs, runs == 0),
        Check("answers whose usage row is missing", usage, usage == 0),
        Check("runs charged twice", doubled, doubled == 0),
        Check("runs that nobody got an answer of", unasked, unasked == 0),
    )


def recorded() -> int:
    """How many runs stand in the database."""
    from apps.core.scope import system_scope  # noqa: PLC0415 - needs the settings
    from apps.runs.models import Run  # noqa: PLC0415

    with system_scope():
        return Run.all_organizations.count()


@contextmanager
def _balancer(listening: list[int]) -> Iterator[int]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        servers = " ".join(f"server 127.0.0.1:{each} max_fails=0;" for each in listening)
        settings = folder / "balancer.conf"
        settings.write_text(BALANCER.format(folder=folder, servers=servers, port=port))
        with running(["nginx", "-c", str(settings)], port):
            yield port


if __name__ == "__main__":
    sys.exit(main())

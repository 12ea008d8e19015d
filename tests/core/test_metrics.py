"""Counting: labels stay bounded, several processes tell one truth, strangers learn nothing."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pytest_django.fixtures import Settings

from apps.core import metrics
from apps.core.metrics import OTHER, BoundedValues, count_request
from apps.core.metrics_listener import Listener, answer, parse_address
from apps.core.process_metrics import BuildCollector, ProcessCollector

ROOT = Path(__file__).resolve().parents[2]

# Two processes count beside each other; then one "job" after another goes on in the same slot, one is killed.
COUNTING = """
import os, signal
from apps.core import metrics

runs = metrics.counter("runs", "Runs.", ("who",))
held = metrics.summed_gauge("held", "Held.")
names = metrics.BoundedValues("names", 2)

def fork(work):
    pid = os.fork()
    if not pid:
        work()
        os._exit(0)
    os.waitpid(pid, 0)

def work(*seen):
    for name in seen:
        runs.labels(names.name(name, lambda: name)).inc()
    held.set(5)

def job():
    metrics.take_slot("job")
    work("a")
    os.kill(os.getpid(), signal.SIGKILL)

work("a", "b", "c")
fork(lambda: work("c", "b", "a"))
for _ in range(3):
    fork(job)
registry = metrics.counted()
print({name: registry.get_sample_value("runs_total", {"who": name}) for name in ("a", "b", "other")})
print(registry.get_sample_value("held"))
print(len([file for file in os.listdir(metrics.FOLDER) if file.startswith("counter")]))
"""


def test_counted__several_processes__are_one_sum(tmp_path: Path) -> None:
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-c", COUNTING]
    told = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=30
    )
    # All agree on which two names are kept; three jobs share one file; what the dead held is gone but for the
    # last job's slot, which nobody else can tell from a living one.
    assert told.stdout.splitlines() == ["{'a': 5.0, 'b': 2.0, 'other': 2.0}", "10.0", "3"]


def test_bounded_values__beyond_the_limit__are_other() -> None:
    values = BoundedValues("few", 2)
    found = [values.name(value, lambda value=value: f"<{value}>") for value in (1, 2, 3, 1, 3, 2)]  # type: ignore[misc]
    assert found == ["<1>", "<2>", OTHER, "<1>", OTHER, "<2>"]


def test_count_request__methods_that_nobody_knows__share_a_label() -> None:
    for method in ("BREW", "HACK"):
        count_request(method, "/x", 405, 0.1)
    labels = {"method": OTHER, "route": "/x", "status": "405"}
    assert metrics.counted().get_sample_value("promptsaas_http_requests_total", labels) == 2


def test_process_collector__this_process__is_told() -> None:
    registry = CollectorRegistry()
    registry.register(ProcessCollector())
    registry.register(BuildCollector())
    assert 1_000_000 < (registry.get_sample_value("process_resident_memory_bytes") or 0) < 10_000_000_000
    assert (registry.get_sample_value("process_cpu_seconds_total") or 0) > 0
    started = registry.get_sample_value("process_start_time_seconds") or 0
    assert time.time() - 86_400 < started < time.time()
    assert b"promptsaas_build_info{" in generate_latest(registry)


@pytest.fixture
def address() -> Iterator[str]:
    listener = Listener(("127.0.0.1", 0), [BuildCollector()])
    listener.start()
    until = time.monotonic() + 10
    while listener._server is None and time.monotonic() < until:
        threading.Event().wait(0.01)
    assert listener._server is not None
    yield f"http://127.0.0.1:{listener._server.server_port}"
    listener._server.shutdown()
    listener._server.server_close()


def test_listener__metrics__are_told_in_prometheus_format(address: str) -> None:
    with urlopen(f"{address}/metrics", timeout=10) as told:
        assert told.headers["Content-Type"].startswith("text/plain; version=")
        assert b"promptsaas_build_info" in told.read()
    with pytest.raises(HTTPError, match="404"):
        urlopen(f"{address}/", timeout=10)


def test_listener__without_the_token__tells_nothing(address: str, settings: Settings) -> None:
    settings.METRICS_TOKEN = "a long secret"
    for given in ("", "Bearer ", "Bearer wrong", "a long secret", "Bearer ä"):
        with pytest.raises(HTTPError, match="401"):
            urlopen(Request(f"{address}/metrics", headers={"Authorization": given}), timeout=10)
    asked = Request(f"{address}/metrics", headers={"Authorization": "Bearer a long secret"})
    with urlopen(asked, timeout=10) as told:
        assert told.status == 200


def test_answer__open_metrics__is_given_when_asked_for() -> None:
    status, headers, body = answer([])("/metrics", "application/openmetrics-text; version=1.0.0", "")
    assert (status, dict(headers)["Content-Type"].split(";")[0]) == (200, "application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


@pytest.mark.parametrize(
    ("text", "found"), [("0.0.0.0:9464", ("0.0.0.0", 9464)), ("[::1]:9464", ("::1", 9464))]
)
def test_parse_address__host_and_port__are_parted(text: str, found: tuple[str, int]) -> None:
    assert parse_address(text) == found


@pytest.mark.parametrize("text", ["", "9464", ":9464", "host:", "host:x"])
def test_parse_address__anything_else__is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_address(text)

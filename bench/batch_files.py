"""A file of 1,000,000 rows and 100 MB in and out again: `python -m bench.batch_files [rows] [kills]`.

The gateway with web behind it under Granian, and a worker of the bulk queue, on a database and a Redis of
their own. The file is uploaded through the dashboard's form and through the API, imported, downloaded as CSV
and compared byte by byte; with `kills`, the worker and its children get SIGKILL so often during the second
import and are started again. Then a batch starts over 100,000 rows of a request. Printed are seconds and the
most memory of each process.
"""

import hashlib
import http.client
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from bench.chaos.support import OwnRedis
from bench.own_database import own_database
from bench.serving.ours import wait_until_ready
from bench.serving.upstreams import free_port
from promptsaas.serving import Address, web_command

ROOT: Final = Path(__file__).resolve().parent.parent
MOST_MEGABYTES: Final = 250
MOST_SECONDS: Final = 120
BLOCK: Final = 256 * 1024
BOUNDARY: Final = "batch-files-bench"
WORDS: Final = [
    "parcel",
    "lamp",
    "arrived",
    "broken",
    "quickly",
    "again",
    "refund",
    "colour",
    "friendly",
    "never",
    "always",
    "quality",
    "box",
]
KILL_SECONDS: Final = 12.0
ROWS_OF_REQUEST: Final = 50_000


@dataclass(slots=True)
class Memory:
    """The most that each kind of process took, in kilobytes; of Postgres without what its processes share."""

    most: dict[str, int] = field(default_factory=dict)

    def see(self, name: str, kilobytes: int) -> None:
        """Take a reading."""
        self.most[name] = max(self.most.get(name, 0), kilobytes)


@dataclass(slots=True)
class Site:
    """What runs: gateway, web behind it, a worker that can be killed; the caller's key and session."""

    address: Address
    gateway: "subprocess.Popen[bytes]"
    web: "subprocess.Popen[bytes]"
    worker: "subprocess.Popen[bytes]"
    token: str
    cookie: str
    page: str
    memory: Memory

    def restart_worker(self) -> None:
        """Kill the worker with its children, and start another."""
        with suppress(ProcessLookupError):
            os.killpg(self.worker.pid, signal.SIGKILL)
        self.worker.wait()
        self.worker = start_worker()


def main(arguments: list[str]) -> int:
    """Print the figures; 1 if one of them is not as it should be."""
    rows, kills = (int(each) for each in [*arguments, *("1000000", "3")[len(arguments) :]])
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    with ExitStack() as stack:
        stack.enter_context(own_database())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="batch-files-")))
        redis = OwnRedis(folder)
        redis.start()
        stack.callback(redis.stop)
        path = folder / "reviews.csv"
        digest = write_file(path, rows)
        print(f"{rows:,} rows, {path.stat().st_size / 1e6:.1f} MB")
        site = stack.enter_context(running_site(redis))
        failed = through_the_form(site, path, digest)
        failed |= through_the_api(site, path, digest, kills)
        failed |= in_a_request(site)
        for name, kilobytes in sorted(site.memory.most.items()):
            failed |= report(kilobytes / 1024 <= MOST_MEGABYTES, f"{name}: at most {kilobytes // 1024} MB")
    return int(failed)


def write_file(path: Path, rows: int) -> str:
    """Write a file in canonical form with quotes, commas, line breaks and other alphabets; its digest."""
    chance, digest = random.Random(6), hashlib.sha256()
    with path.open("wb") as file:
        for first in range(0, rows, 10_000):
            lines = [_line(number, chance) for number in range(first, min(first + 10_000, rows))]
            text = ("id,review,sentiment\n" if not first else "") + "".join(lines)
            digest.update(text.encode())
            file.write(text.encode())
    return digest.hexdigest()


def _line(number: int, chance: random.Random) -> str:
    review = " ".join(chance.choices(WORDS, k=12))
    if number % 50 == 0:
        review = f'"{review}, and ""more""\nin a second line"'
    elif number % 50 == 1:
        review += " größer ‒ 很好"
    return f"{number},{review},{'positive' if number % 3 else 'negative'}\n"


@contextmanager
def running_site(redis: OwnRedis) -> Iterator[Site]:
    """A web process and a worker, with a project, a prompt, a key and a signed-in session."""
    from django.conf import settings  # noqa: PLC0415 - needs the settings
    from django.db import connections  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    from tests.factories import make_api_key, make_content, make_project, make_prompt  # noqa: PLC0415
    from tests.factories.tenants import owner_of  # noqa: PLC0415

    os.environ["REDIS_URL"] = settings.REDIS_URL = redis.url
    project = make_project()
    _, token = make_api_key(project=project)
    make_prompt(project=project, name="classify", content=make_content("Classify: {{ review }}"))
    client = Client()
    client.force_login(owner_of(project.organization), backend=settings.AUTHENTICATION_BACKENDS[0])
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    page = f"/{project.organization.slug}/{project.slug}/datasets"
    connections.close_all()
    address, behind = Address("127.0.0.1", free_port()), Address("127.0.0.1", free_port())
    web = start("web", *web_command(behind, workers=1, threads=4))
    gateway = start("gateway", *manage("gateway", address), f"--web=http://{behind.host}:{behind.port}")
    site = Site(
        address=address,
        gateway=gateway,
        web=web,
        worker=start_worker(),
        token=token,
        cookie=f"{settings.SESSION_COOKIE_NAME}={cookie}",
        page=page,
        memory=Memory(),
    )
    stop = threading.Event()
    watcher = threading.Thread(target=watch, args=(site, stop))
    try:
        wait_until_ready(behind, web)
        wait_until_ready(address, gateway)
        watcher.start()
        yield site
    finally:
        stop.set()
        for process in (site.gateway, site.web, site.worker):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def start_worker() -> "subprocess.Popen[bytes]":
    """A worker of the bulk queue."""
    return start("worker", sys.executable, "manage.py", "worker", "--queue=bulk")


def manage(command: str, address: Address) -> list[str]:
    """The command line of a server."""
    return [sys.executable, "manage.py", command, f"--host={address.host}", f"--port={address.port}"]


def start(kind: str, *command: str) -> "subprocess.Popen[bytes]":
    """A process of the product, in a group of its own."""
    environment = os.environ | {"PROMPTSAAS_PROCESS": kind, "DEBUG": "0"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)


def through_the_form(site: Site, path: Path, digest: str) -> bool:
    """Upload and import as a person does."""
    token = re.search(r"csrf=([^;]+)", _header(site, f"{site.page}/new/", "set-cookie"))
    assert token is not None
    site.cookie += f"; csrf={token[1]}"
    started = time.monotonic()
    fields = {"csrfmiddlewaretoken": token[1], "way": "upload"}
    status, headers, body = send_file(site, f"{site.page}/new/", path, fields)
    failed = report(status == 302, f"upload by the form: {time.monotonic() - started:.1f} s ({status})")
    if failed:
        print(body[:2000])
        return True
    mapping = headers["location"]
    wait_for(lambda: b'id="import-progress"' not in get(site, mapping)[2])
    print(f"  read through after {time.monotonic() - started:.1f} s")
    page = get(site, mapping)[2].decode()
    chosen = {"csrfmiddlewaretoken": token[1], "dataset": "Form"}
    for name in re.findall(r'name="((?:role|type)_\d+)"', page):
        select = page[page.index(f'name="{name}"') :]
        chosen[name] = re.search(r'<option value="(\w+)" selected', select)[1]  # type: ignore[index]
    chosen.update(re.findall(r'name="(name_\d+)" value="([^"]*)"', page))
    status, headers, body = send(site, "POST", mapping, urlencode(chosen).encode(), FORM)
    wait_for(lambda: get(site, mapping)[0] == 302)
    took = time.monotonic() - started
    failed = report(took <= MOST_SECONDS, f"upload and import by the form: {took:.1f} s")
    dataset = re.search(r"(dst_\w+)", get(site, mapping)[1]["location"])
    assert dataset is not None
    return failed | download(site, f"{site.page}/{dataset[1]}/download/?format=csv", digest)


def through_the_api(site: Site, path: Path, digest: str, kills: int) -> bool:
    """Upload and import as a program does, with a worker that is killed meanwhile."""
    started = time.monotonic()
    status, _, body = send_file(site, "/api/v1/dataset_imports", path, {})
    failed = report(status == 201, f"upload by the API: {time.monotonic() - started:.1f} s ({status})")
    upload = orjson.loads(body)
    address = f"/api/v1/dataset_imports/{upload['id']}"
    wait_for(lambda: orjson.loads(get(site, address)[2])["status"] != "reading")
    print(f"  read through after {time.monotonic() - started:.1f} s")
    facts = orjson.loads(get(site, address)[2])["facts"]
    status, _, body = send(site, "POST", f"{address}/import", b'{"dataset": "API"}', JSON)
    failed |= report(status == 202, f"import of {facts['rows']:,} rows answered with {status}")
    for kill in range(kills):
        time.sleep(KILL_SECONDS)
        site.restart_worker()
        written = orjson.loads(get(site, address)[2])["rows_written"]
        print(f"  kill {kill + 1} at {written:,} rows")
    ring_again()
    wait_for(lambda: orjson.loads(get(site, address)[2])["status"] != "importing", ring_again)
    ended = orjson.loads(get(site, address)[2])
    took = time.monotonic() - started
    failed |= report(ended["status"] == "imported", f"import with {kills} kills: {took:.1f} s")
    version = ended["dataset_version"]
    return failed | download(site, f"/api/v1/dataset_versions/{version}/export?format=csv", digest)


def in_a_request(site: Site) -> bool:
    """Start a batch over 50,000 rows of the request itself; the worker takes them."""
    rows = [
        {"variables": {"review": f"Review {number}, arrived broken"}} for number in range(ROWS_OF_REQUEST)
    ]
    body = orjson.dumps({"prompt": "classify", "version": 1, "rows": rows})
    started = time.monotonic()
    status, _, answer = send(site, "POST", "/api/v1/batches", body, JSON)
    took = time.monotonic() - started
    failed = report(status == 202, f"{len(rows):,} rows, {len(body) / 1e6:.1f} MB: accepted in {took:.1f} s")
    address = f"/api/v1/batches/{orjson.loads(answer)['id']}"
    wait_for(lambda: orjson.loads(get(site, address)[2])["status"] != "validating", ring_again)
    ended = orjson.loads(get(site, address)[2])
    took = time.monotonic() - started
    is_good = (ended["status"], ended["counts"]["total"]) == ("in_progress", len(rows))
    return failed | report(is_good, f"the batch runs after {took:.1f} s")


def ring_again() -> None:
    """A turn of the cron process's sweeper, which isn't started here."""
    from apps.datasets.jobs import sweep  # noqa: PLC0415 - needs the settings

    sweep()


FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"


def send_file(site: Site, address: str, path: Path, fields: dict[str, str]) -> tuple[int, Any, bytes]:
    """Send a form with a file, piece by piece."""
    head = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    head += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n\r\n'
    tail = f"\r\n--{BOUNDARY}--\r\n"

    def pieces() -> Iterator[bytes]:
        yield head.encode()
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                yield block
        yield tail.encode()

    size = len(head.encode()) + path.stat().st_size + len(tail)
    return send(site, "POST", address, pieces(), f"multipart/form-data; boundary={BOUNDARY}", size)


def send(
    site: Site, method: str, address: str, body: Any = None, kind: str = "", size: int | None = None
) -> tuple[int, Any, bytes]:
    """One request; status, headers, body."""
    with _answer(site, method, address, body, kind, size) as answer:
        return answer.status, answer.headers, answer.read()


def get(site: Site, address: str) -> tuple[int, Any, bytes]:
    """A request without a body."""
    return send(site, "GET", address)


def download(site: Site, address: str, digest: str) -> bool:
    """Fetch a file in pieces and compare it."""
    started, found, size = time.monotonic(), hashlib.sha256(), 0
    with _answer(site, "GET", address) as answer:
        while block := answer.read(BLOCK):
            found.update(block)
            size += len(block)
    took = time.monotonic() - started
    same = found.hexdigest() == digest
    return report(
        same, f"{size / 1e6:.1f} MB out again in {took:.1f} s, {'the same' if same else 'not the same'}"
    )


@contextmanager
def _answer(
    site: Site, method: str, address: str, body: Any = None, kind: str = "", size: int | None = None
) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(site.address.host, site.address.port, timeout=120)
    headers = {"Content-Type": kind} if kind else {}
    if size is not None:
        headers["Content-Length"] = str(size)
    if address.startswith("/api/"):
        headers["Authorization"] = f"Bearer {site.token}"
    else:
        headers |= {"Cookie": site.cookie, "Referer": f"http://{site.address.host}"}
    try:
        connection.request(method, address, body, headers)
        yield connection.getresponse()
    finally:
        connection.close()


def _header(site: Site, address: str, name: str) -> str:
    return ", ".join(get(site, address)[1].get_all(name) or ())


def wait_for(is_so: Any, meanwhile: Any = None) -> None:
    """Ask every half second, for ten minutes at most."""
    for turn in range(1200):
        if is_so():
            return
        if meanwhile and turn % 20 == 19:
            meanwhile()
        time.sleep(0.5)
    raise TimeoutError


def report(is_good: bool, words: str) -> bool:
    """Print a line; whether it failed."""
    print(f"{'ok' if is_good else 'FAILED'}: {words}", flush=True)
    return not is_good


def watch(site: Site, stop: threading.Event) -> None:
    """Read how much memory each process takes, five times a second."""
    while not stop.wait(0.2):
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with suppress(OSError, StopIteration, ValueError):
                    _see(site, folder)


def _see(site: Site, folder: Path) -> None:
    group = os.getpgid(int(folder.name))
    command = (folder / "cmdline").read_bytes()
    ours = {site.gateway.pid: "gateway", site.web.pid: "web", site.worker.pid: "worker"}
    if group in ours:
        site.memory.see(ours[group], _kilobytes(folder, "VmHWM"))
    elif b"postgres:" in command:
        site.memory.see("a process of Postgres", _kilobytes(folder, "RssAnon"))


def _kilobytes(folder: Path, name: str) -> int:
    lines = (folder / "status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

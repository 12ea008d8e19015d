"""Pages, API and files of a batch of 1,000,000 rows: `python -m bench.batch_pages [rows] [rows of files]`.

The rows are written by SQL. Each page is asked for as a browser or a program would, through every middleware;
the median of five is its server time, beside it its processor time and its queries. Then the files of a batch
of 100,000 rows are fetched from a web process of their own, whose seconds and most memory are printed.
"""

import http.client
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from bench.lists import MOST_QUERIES, STATEMENTS, processor_ms
from bench.own_database import own_database
from bench.serving.table import Line, print_lines
from bench.serving.upstreams import free_port, wait_for_port
from promptsaas.serving import Address, web_command

ROOT: Final = Path(__file__).resolve().parent.parent
ROUNDS: Final = 5
PAGE_MS, PAGE_GOAL_MS = 200.0, 50.0
CSV_SECONDS, CSV_GOAL_SECONDS = 10.0, 4.0
CSV_MEGABYTES, OTHER_MEGABYTES = 150.0, 250.0
BLOCK: Final = 256 * 1024

PAGES: Final[Sequence[tuple[str, str]]] = (
    ("progress", ""),
    ("progress, what moves", "progress/"),
    ("results", "results/"),
    ("results in the middle", "results/?after={middle}"),
    ("results before the middle", "results/?before={middle}"),
    ("a row opened", "results/?after={middle}&open={opened}"),
    ("failed rows", "results/?status=failed"),
    ("failed rows in the middle", "results/?status=failed&after={middle}"),
    ("rows of one reason", "results/?code=output_invalid"),
    ("rows of no reason", "results/?code=nothing"),
    ("rows that differ", "results/?match=differs"),
    ("rows that match", "results/?match=match"),
    ("rows in flight", "results/?status=running"),
    ("stopped rows, of which there are none", "results/?status=cancelled"),
    ("a text in every row", "results/?q=damaged"),
    ("a text in no row", "results/?q=zeppelin"),
    ("a text in the middle", "results/?q=zeppelin&after={middle}"),
    ("failures", "failures/"),
    ("what to compare with", "compare/"),
    ("comparison", "compare/?with={other}"),
    ("comparison, rows far behind", "compare/?with={other}&kind=lost&after=60000"),
    ("file's first bytes", "download/?format=csv"),
)
API: Final[Sequence[tuple[str, str]]] = (
    ("API: the batch", ""),
    ("API: rows", "/items?limit=100"),
    ("API: failed rows", "/items?status=failed&limit=100"),
    ("API: a text in no row", "/items?search=zeppelin"),
    ("API: failures", "/failures"),
    ("API: comparison", "/comparison?with={other}"),
)


def main(arguments: list[str]) -> int:
    """Print the figures; 1 if a bar does not hold."""
    rows, file_rows = (int(each) for each in [*arguments, *("1000000", "100000")[len(arguments) :]])
    lines = measure(rows, file_rows)
    print_lines(lines)
    return int(not all(line.holds for line in lines))


def measure(rows: int = 1_000_000, file_rows: int = 100_000) -> list[Line]:
    """Fill a database of its own and measure; the lines for the table of batches."""
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    with own_database():
        from bench.batch_rows import write_finished_batch  # noqa: PLC0415 - needs the settings
        from tests.factories import make_api_key, make_project  # noqa: PLC0415

        project = make_project()
        began = time.perf_counter()
        large = write_finished_batch(project, rows)
        small = write_finished_batch(project, file_rows, over=large)
        _analyze()
        print(f"{rows:,} and {file_rows:,} rows written in {time.perf_counter() - began:,.0f} s", flush=True)
        token = make_api_key(project=project)[1]
        return _pages(project, token, large, small) + _files(token, small)


def _analyze() -> None:
    from django.db import connections  # noqa: PLC0415 - needs the settings

    with connections["owner"].cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _pages(project: Any, token: str, large: Any, other: Any) -> list[Line]:
    """Every page of the large batch, as it has ended and as it runs."""
    from django.test import Client  # noqa: PLC0415 - needs the settings

    from tests.factories import owner_of  # noqa: PLC0415

    person, program = Client(), Client(headers={"Authorization": f"Bearer {token}"})
    person.force_login(owner_of(project.organization))
    base = f"/{project.organization.slug}/{project.slug}/batches/{large.public_id}/"
    middle = large.total // 2
    names = {"middle": middle, "opened": middle + 3, "other": other.public_id}
    asked = [
        ("list of batches", person, base.rpartition("bat_")[0]),
        *((words, person, base + path.format(**names)) for words, path in PAGES),
        *(
            (words, program, f"/api/v1/batches/{large.public_id}{path.format(**names)}")
            for words, path in API
        ),
    ]
    found: dict[str, float] = {}
    for state in ("ended", "running"):
        if state == "running":
            _reopen(large)
        for words, client, address in asked:
            found[f"{state}, {words}"] = _timed(f"{state}, {words}", client, address)
    progress = [found[f"running, {each}"] for each in ("progress", "progress, what moves", "API: the batch")]
    slowest = max(found, key=lambda words: found[words])
    size = f"{large.total:,}"
    return [
        _line(f"progress page and API at {size} rows", max(progress), "ms", PAGE_MS, PAGE_GOAL_MS),
        _line(f"slowest page at {size} rows ({slowest})", found[slowest], "ms", PAGE_MS, PAGE_GOAL_MS),
    ]


def _reopen(job: Any) -> None:
    """The same batch while it runs: its failures are not counted yet, and its rate is asked for."""
    from apps.batches.models import BatchJob, JobStatus  # noqa: PLC0415 - needs the settings
    from apps.core.scope import organization_scope  # noqa: PLC0415

    with organization_scope(job.organization_id):
        BatchJob.objects.filter(pk=job.pk).update(
            status=JobStatus.IN_PROGRESS, completed_at=None, failure_groups=[]
        )


def _timed(words: str, client: Any, address: str) -> float:
    """Print and give the median of a page's milliseconds."""
    _once(client, address)
    times, used = zip(*(_once(client, address) for _ in range(ROUNDS)), strict=True)
    median, queries = statistics.median(times), _queries(client, address)
    verdict = "ok" if median <= PAGE_MS and queries <= MOST_QUERIES else "FAILED"
    busy = f"{statistics.median(used):>8,.0f} ms busy{queries:>4} queries"
    print(f"{words:<52}{median:>9,.1f} ms{busy}  {verdict}", flush=True)
    return float(median)


def _once(client: Any, address: str) -> tuple[float, float]:
    began, busy = time.perf_counter(), processor_ms()
    response = client.get(address)
    assert response.status_code in (200, 286), (address, response.status_code)
    next(iter(response))
    took = 1_000 * (time.perf_counter() - began), processor_ms() - busy
    response.close()
    return took


def _queries(client: Any, address: str) -> int:
    from django.db import connection  # noqa: PLC0415 - needs the settings
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    with CaptureQueriesContext(connection) as captured:
        client.get(address).close()
    return sum(query["sql"].startswith(STATEMENTS) for query in captured)


def _files(token: str, job: Any) -> list[Line]:
    """Every format from a web process of its own, so that each has its own peak of memory."""
    seconds: dict[str, float] = {}
    memory: dict[str, float] = {}
    for name in ("csv", "jsonl", "openai", "parquet"):
        address = f"/api/v1/batches/{job.public_id}/results?format={name}"
        seconds[name], used, memory[name], size = _fetched(token, address)
        figures = f"{used:>8.1f} s busy{memory[name]:>6.0f} MB of memory{size / 1e6:>8.1f} MB sent"
        print(f"{name}, {job.total:,} rows{'':<30}{seconds[name]:>9.1f} s{figures}", flush=True)
    words = f"export of {job.total:,} rows to"
    most = max(memory[name] for name in memory if name != "csv")
    return [
        _line(f"{words} CSV", seconds["csv"], "s", CSV_SECONDS, CSV_GOAL_SECONDS),
        _line(
            f"{words} CSV: the web process's own memory", memory["csv"], "MB", CSV_MEGABYTES, CSV_MEGABYTES
        ),
        _line(f"{words} JSONL or Parquet: the same", most, "MB", OTHER_MEGABYTES, OTHER_MEGABYTES),
    ]


def _fetched(token: str, address: str) -> tuple[float, float, float, int]:
    """Seconds, processor seconds, most megabytes of the process, and bytes of a file."""
    place = Address("127.0.0.1", free_port())
    environment = os.environ | {"PROMPTSAAS_PROCESS": "web", "DEBUG": "0"}
    command = web_command(place, workers=1, threads=4)
    web = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    try:
        wait_for_port(place.port, web)
        # The first answer loads what every page needs.
        _fetch(place, token, "/api/v1/batches?limit=1")
        began, used = time.perf_counter(), _of_group(web.pid, _processor_seconds)
        size = _fetch(place, token, address)
        took = time.perf_counter() - began
        return took, _of_group(web.pid, _processor_seconds) - used, _of_group(web.pid, _megabytes), size
    finally:
        web.terminate()
        web.wait()


def _fetch(place: Address, token: str, address: str) -> int:
    connection = http.client.HTTPConnection(place.host, place.port, timeout=300)
    connection.request("GET", address, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    assert answer.status == 200, (address, answer.status, answer.read())
    size = 0
    while block := answer.read(BLOCK):
        size += len(block)
    connection.close()
    return size


def _of_group(group: int, measured: Callable[[Path], float]) -> float:
    """The largest of what the processes of a group measure."""
    found = [0.0]
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError, ValueError):
                if os.getpgid(int(folder.name)) == group:
                    found.append(measured(folder))
    return max(found)


def _megabytes(folder: Path) -> float:
    """The most that was in memory, without the files of programs and libraries, which processes share."""
    lines = [line.split() for line in (folder / "status").read_text().splitlines()]
    found = {line[0].rstrip(":"): int(line[1]) / 1024 for line in lines if line[-1] == "kB"}
    return found.get("VmHWM", 0.0) - found.get("RssFile", 0.0)


def _processor_seconds(folder: Path) -> float:
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _line(work: str, ours: float, unit: str, bar: float, goal: float) -> Line:
    return Line(work, ours, unit, bar, goal, at_least=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

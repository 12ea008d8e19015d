"""Every list at full size: `python -m bench.lists [rows] [list…]`, 100,000 of each by default.

Each page is asked for as a browser would, through every middleware; the median of five is its server time.
Beside it stands the processor time, which other load on the machine moves less; beside its queries those of
the same page in a project with one row of each, fewer only where that row does not match.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.own_database import own_database

PAGE_LIMIT_MS: Final = 300
MOST_QUERIES: Final = 15
ROUNDS: Final = 5
STATEMENTS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")

Page = tuple[str, str]
PAGES: Final[dict[str, Sequence[Page]]] = {
    "prompts": (
        ("as it opens", ""),
        ("in a folder", "?folder=team-3"),
        ("by name", "?sort=name"),
        ("with a tag", "?tag=legal"),
        ("with a label", "?label=staging&sort=-name"),
        ("name of one", "?q=prompt-099999"),
        ("word in no name", "?q=zzzzzz"),
        ("rare word in texts", "?q=zeppelin&in=newest"),
        ("1 in 100 texts", "?q=warranty&in=newest"),
        ("1 in 5 texts", "?q=refund&in=newest"),
        ("1 in 5, every version", "?q=refund&in=every"),
        ("word and tag", "?q=warranty&in=newest&tag=legal&sort=name"),
        ("export's first bytes", "?export=csv"),
    ),
    "runs": (
        ("as it opens", ""),
        ("all time", "?range=all"),
        ("dearest first", "?range=all&sort=-cost"),
        ("cheapest first", "?range=all&sort=cost"),
        ("slowest first", "?range=all&sort=-time"),
        ("most tokens first", "?range=all&sort=-tokens"),
        ("slowest first token", "?range=all&sort=-first_token"),
        ("slowest of 7 days", "?range=7d&sort=-time"),
        ("failed", "?range=all&status=failed"),
        ("by error", "?range=all&error=provider_timeout"),
        ("by error of none", "?range=all&error=nothing"),
        ("by user, rare", "?range=all&user=rare"),
        ("by user of none", "?range=all&user=nobody"),
        ("with feedback", "?range=all&feedback=any"),
        ("low feedback, by cost", "?range=all&feedback=low&sort=-cost"),
        ("by model", "?range=all&model=sandbox/fast"),
        ("batches' own, by time", "?range=all&source=batch&sort=-time"),
        ("id of none", "?q=req_none"),
        ("exact count", "?range=all&count=1"),
        ("export's first bytes", "?range=all&export=csv"),
        ("export by cost", "?range=all&sort=-cost&export=jsonl"),
    ),
    "rows": (
        ("first rows", ""),
        ("in the middle", "?from=50001"),
        ("last rows", "?from=99951"),
        ("file's first bytes", "download/?format=csv"),
    ),
    "datasets": (("as it opens", ""), ("by name", "?sort=name"), ("name of one", "?q=copy+777")),
    "batches": (
        ("as it opens", ""),
        ("by name", "?sort=name"),
        ("running", "?status=open"),
        ("name of one", "?q=batch+777"),
        ("export's first bytes", "?export=csv"),
    ),
    "audit": (
        ("as it opens", ""),
        ("of an action", "?action=prompt.archived"),
        ("of an object", "?object=prm_7"),
        ("of a day", "?from=2026-01-01&to=2026-01-02"),
        ("refused", "?outcome=refused"),
        ("export's first bytes", "?export=csv"),
    ),
}


def main() -> int:
    """Fill, measure, print; 1 when a page is over its limit."""
    sizes = [int(each) for each in sys.argv[1:] if each.isdecimal()]
    wanted = [each for each in sys.argv[1:] if not each.isdecimal()] or list(PAGES)
    rows = sizes[0] if sizes else 100_000
    with own_database():
        from tests.factories import make_project  # noqa: PLC0415 - needs the settings

        # Another organization, so that the fences have something to keep out.
        small, large = make_project(), make_project()
        failed = False
        for name in wanted:
            few = _filled(name, small, 1)
            began = time.perf_counter()
            many = _filled(name, large, rows)
            print(f"{name}: {rows:,} written in {time.perf_counter() - began:,.0f} s", flush=True)
            _analyze()
            failed = _measure(name, small, few, large, many) or failed
        return int(failed)


def _filled(name: str, project: Any, rows: int) -> str:
    """Write so many rows of a list; its address."""
    from bench import list_rows  # noqa: PLC0415 - needs the settings
    from bench.prompt_library import fill  # noqa: PLC0415

    base = f"/{project.organization.slug}/{project.slug}"
    if name == "rows":
        version = list_rows.write_dataset(project, max(rows, 4))
        return f"{base}/datasets/{version.dataset.public_id}/"
    if name == "runs":
        list_rows.write_runs(project, rows)
        list_rows.write_feedback(project, every=10 if rows > 1 else 1)
        return f"{base}/runs/"
    writers: dict[str, Callable[[Any, int], object]] = {
        "prompts": fill,
        "datasets": list_rows.write_datasets,
        "batches": list_rows.write_batches,
        "audit": list_rows.write_events,
    }
    writers[name](project, rows)
    return f"/{project.organization.slug}/settings/audit/" if name == "audit" else f"{base}/{name}/"


def _analyze() -> None:
    from django.db import connections  # noqa: PLC0415 - needs the settings

    with connections["owner"].cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _measure(name: str, small: Any, few: str, large: Any, many: str) -> bool:
    """Ask for every page of a list; whether one takes too long or too many queries."""
    one, client = _client(small), _client(large)
    one.get(few), client.get(many)
    failed = False
    for words, query in PAGES[name]:
        times, used = zip(*(_once(client, many + query) for _ in range(ROUNDS)), strict=True)
        queries, least = _queries(client, many + query), _queries(one, few + query)
        median = statistics.median(times)
        over = median > PAGE_LIMIT_MS or queries > MOST_QUERIES
        failed = failed or over
        verdict = "FAILED" if over else "ok"
        print(
            f"{name + ', ' + words:<34}{median:>9,.1f} ms{statistics.median(used):>8,.0f} ms busy"
            f"{queries:>4} queries ({least} at one row)  {verdict}",
            flush=True,
        )
    print(f"{'limit':<34}{PAGE_LIMIT_MS:>9,.1f} ms{'':>16}{MOST_QUERIES:>4} queries")
    return failed


def _client(project: Any) -> Any:
    from django.test import Client  # noqa: PLC0415 - needs the settings

    from tests.factories import owner_of  # noqa: PLC0415

    client = Client()
    client.force_login(owner_of(project.organization))
    return client


def _once(client: Any, address: str) -> tuple[float, float]:
    """Milliseconds until the page is there, or the first bytes of a file; on the clock and busy."""
    began, busy = time.perf_counter(), processor_ms()
    response = client.get(address)
    assert response.status_code == 200, (address, response.status_code)
    first: Iterator[bytes] = iter(response)
    next(first)
    took = 1_000 * (time.perf_counter() - began), processor_ms() - busy
    response.close()
    return took


def _queries(client: Any, address: str) -> int:
    """How many statements a page takes; a file's are those until its first bytes."""
    from django.db import connection  # noqa: PLC0415 - needs the settings
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    with CaptureQueriesContext(connection) as captured:
        response = client.get(address)
        next(iter(response))
        response.close()
    return sum(query["sql"].startswith(STATEMENTS) for query in captured)


def processor_ms() -> float:
    """Processor time of this process and of its database session so far, which other load hardly moves."""
    from django.db import connection  # noqa: PLC0415 - needs the settings

    pid = connection.connection.info.backend_pid if connection.connection else 0
    stat = Path(f"/proc/{pid}/stat")
    fields = stat.read_text().rpartition(")")[2].split() if stat.exists() else ["0"] * 13
    session = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 1_000 * (time.process_time() + session)


if __name__ == "__main__":
    sys.exit(main())

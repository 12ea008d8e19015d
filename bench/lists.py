"""Lists at full size: `python -m bench.lists [prompts]`, 100,000 by default.

Each page is asked for as a browser would, through every middleware; the median of five is its server time.
Beside it stands the processor time, which other load on the machine hardly moves.
"""

import os
import statistics
import sys
import time
from pathlib import Path
from typing import Final

from bench.own_database import own_database

PAGE_LIMIT_MS: Final = 300
MOST_QUERIES: Final = 15
ROUNDS: Final = 5
PROMPT_PAGES: Final = (
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
)


def main() -> int:
    """Fill, measure, print; 1 when a page is over its limit."""
    prompts = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with own_database():
        from django.db import connections  # noqa: PLC0415 - needs the settings

        from bench.prompt_library import fill  # noqa: PLC0415
        from tests.factories import make_project  # noqa: PLC0415

        # Another organization, so that the fences have something to keep out.
        fill(make_project(), prompts // 20, seed=2)
        project = make_project()
        began = time.perf_counter()
        fill(project, prompts)
        print(f"{prompts:,} prompts written in {time.perf_counter() - began:,.0f} s")
        with connections["owner"].cursor() as cursor:
            cursor.execute("ANALYZE prompts_prompt, prompts_promptversion, prompts_label")
        return measure(project)


def measure(project: object) -> int:
    """Ask for every page of the list; 1 when one takes too long or too many queries."""
    from django.db import connection  # noqa: PLC0415 - needs the settings
    from django.test import Client  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    from tests.factories import owner_of  # noqa: PLC0415

    organization = project.organization  # type: ignore[attr-defined]
    client = Client()
    client.force_login(owner_of(organization))
    base = f"/{organization.slug}/{project.slug}/prompts/"  # type: ignore[attr-defined]
    client.get(base)
    failed = False
    for words, query in PROMPT_PAGES:
        times, used = [], []
        for _ in range(ROUNDS):
            began, busy = time.perf_counter(), _processor_ms()
            response = client.get(base + query)
            times.append(1_000 * (time.perf_counter() - began))
            used.append(_processor_ms() - busy)
            assert response.status_code == 200
        with CaptureQueriesContext(connection) as captured:
            client.get(base + query)
        queries = sum(query["sql"].startswith(("SELECT", "INSERT", "UPDATE", "DELETE")) for query in captured)
        over = statistics.median(times) > PAGE_LIMIT_MS or queries > MOST_QUERIES
        failed = failed or over
        verdict = "FAILED" if over else "ok"
        median, busiest = statistics.median(times), statistics.median(used)
        print(
            f"prompts, {words:<24}{median:>9,.1f} ms{busiest:>8,.0f} ms busy{queries:>4} queries  {verdict}"
        )
    return int(failed)


def _processor_ms() -> float:
    """Processor time of this process and of its database session so far, which other load hardly moves."""
    from django.db import connection  # noqa: PLC0415 - needs the settings

    pid = connection.connection.info.backend_pid if connection.connection else 0
    stat = Path(f"/proc/{pid}/stat")
    fields = stat.read_text().rpartition(")")[2].split() if stat.exists() else ["0"] * 13
    session = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 1_000 * (time.process_time() + session)


if __name__ == "__main__":
    sys.exit(main())

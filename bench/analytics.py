"""Analytics at a million runs over 30 days: `python -m bench.analytics [runs] [api|pages]`.

Every panel of the overview, the other pages of analytics and the API are asked for as a browser or a program
would, through every middleware, for a day, a week and a month. The median of five is the server time; beside
it stand the processor time, which other load on the machine moves less, and the queries.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from bench.lists import MOST_QUERIES, PAGE_LIMIT_MS, ROUNDS, _once, _queries
from bench.own_database import own_database

RANGES: Final = ("24h", "7d", "30d")
PROMPT: Final = "support/answer"
API: Final = (
    ("series", ""),
    ("series", "group_by=prompt&compare=true"),
    ("series", "metrics=latency_p50,latency_p95,latency_p99&compare=true"),
    ("series", "metrics=latency_p95&group_by=prompt&compare=true"),
    ("series", "metrics=errors&group_by=error"),
    ("series", "metrics=cost&group_by=version&most=20"),
    ("series", "format=csv&group_by=model&compare=true"),
    ("summary", "compare=true"),
    ("summary", "group_by=version&limit=100&compare=true"),
    ("summary", f"prompt={quote(PROMPT, safe='')}&label=production&group_by=key"),
)


def main() -> int:
    """Fill, measure, print; 1 when something is over its limit."""
    sizes = [int(each) for each in sys.argv[1:] if each.isdecimal()]
    wanted = [each for each in sys.argv[1:] if not each.isdecimal()] or ["api", "pages"]
    rows = sizes[0] if sizes else 1_000_000
    with own_database():
        from bench.history import make_cast, roll_up, write_history  # noqa: PLC0415 - needs the settings
        from tests.factories import make_project  # noqa: PLC0415

        # Another organization, so that the fences have something to keep out.
        other, project = make_project(), make_project()
        began = time.perf_counter()
        write_history(make_cast(other), rows=max(rows // 20, 1), seed=0.25)
        write_history(make_cast(project), rows=rows)
        roll_up()
        print(f"{rows:,} runs written and rolled up in {time.perf_counter() - began:,.0f} s", flush=True)
        _print_size()
        verdicts: list[bool] = []
        if "api" in wanted:
            verdicts += [_measure(_api_client(project), *each) for each in _api_addresses()]
        if "pages" in wanted:
            verdicts += [_measure(_web_client(project), *each) for each in _page_addresses(project)]
        print(f"{'limit':<66}{PAGE_LIMIT_MS:>9,.1f} ms{'':>14}{MOST_QUERIES:>5} queries")
        return int(not all(verdicts))


def _print_size() -> None:
    from django.db import connection  # noqa: PLC0415 - needs the settings

    from apps.core.scope import system_scope  # noqa: PLC0415

    with system_scope(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT grain, count(*), count(DISTINCT segment_id) FROM analytics_rollup GROUP BY 1 ORDER BY 1"
        )
        for grain, rows, segments in cursor.fetchall():
            print(f"roll-ups of {grain:>4} min: {rows:>9,} of {segments:,} segments")


def _api_addresses() -> Iterator[tuple[str, str]]:
    for kind, query in API:
        for each in RANGES:
            yield (
                f"API {kind} {query or 'as it is'}, {each}",
                f"/api/v1/analytics/{kind}?range={each}&{query}",
            )


def _page_addresses(project: Any) -> Iterator[tuple[str, str]]:
    from apps.analytics.web.panels import PANELS  # noqa: PLC0415 - needs the settings
    from apps.core.scope import organization_scope  # noqa: PLC0415
    from apps.prompts.queries import find_prompt  # noqa: PLC0415

    with organization_scope(project.organization_id):
        prompt = find_prompt(project, PROMPT).public_id
    base = f"/{project.organization.slug}/{project.slug}/"
    yield "home", base
    for each in RANGES:
        asked = f"?range={each}"
        yield f"overview, {each}", f"{base}analytics/{asked}"
        for name in PANELS:
            yield f"panel {name}, {each}", f"{base}analytics/panels/{name}/{asked}"
        yield f"costs, {each}", f"{base}analytics/costs/{asked}"
        yield f"versions of {PROMPT}, {each}", f"{base}analytics/versions/{prompt}/{asked}"


def _measure(client: Any, words: str, address: str) -> bool:
    """Ask for one address; whether it is as fast as it has to be."""
    client.get(address)
    times, used = zip(*(_once(client, address) for _ in range(ROUNDS)), strict=True)
    queries, median = _queries(client, address), statistics.median(times)
    good = median <= PAGE_LIMIT_MS and queries <= MOST_QUERIES
    print(
        f"{words:<66}{median:>9,.1f} ms{statistics.median(used):>7,.0f} ms busy{queries:>4} queries  "
        f"{'ok' if good else 'FAILED'}",
        flush=True,
    )
    return good


def _api_client(project: Any) -> Any:
    from django.test import Client  # noqa: PLC0415 - needs the settings

    from apps.tenants.roles import Scope  # noqa: PLC0415
    from tests.factories import make_api_key  # noqa: PLC0415

    _, token = make_api_key(project=project, scopes=(Scope.READ,))
    return Client(headers={"Authorization": f"Bearer {token}"})


def _web_client(project: Any) -> Any:
    from django.test import Client  # noqa: PLC0415 - needs the settings

    from tests.factories import owner_of  # noqa: PLC0415

    client = Client()
    client.force_login(owner_of(project.organization))
    return client


if __name__ == "__main__":
    sys.exit(main())

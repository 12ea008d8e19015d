"""What counting costs the gateway: microseconds for each request and run, alone and with shared files.

Counts the same finished runs, over 400 prompts of which 200 have figures of their own, as a gateway does.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

# A gateway counts alone unless it is started with several workers.
MOST_MICROSECONDS: Final = {"one process": 10.0, "shared files": 25.0}
PROMPTS: Final = 400
ROUNDS: Final = 50


def main() -> int:
    """Both ways, each in a process of its own; 1 if one of them costs too much."""
    failed = 0
    for name, shared in (("one process", False), ("shared files", True)):
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | ({"PROMETHEUS_MULTIPROC_DIR": folder} if shared else {})
            command = [sys.executable, "-m", "bench.metrics_cost", "measure", name]
            failed |= subprocess.run(command, env=environment, check=False).returncode
    return failed


def measure(name: str) -> int:
    """Time a request and a run, and one scrape of what they left."""
    import django  # noqa: PLC0415

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "promptsaas.settings")
    django.setup()
    from prometheus_client import generate_latest  # noqa: PLC0415

    from apps.core import metrics  # noqa: PLC0415
    from apps.runs.run_metrics import count_run  # noqa: PLC0415

    records = _records()

    def one_round() -> None:
        for record in records:
            count_run(record)
            metrics.count_request("POST", "/api/v1/prompts/*/run", 200, 0.4)

    one_round()
    best = min(_timed(one_round) for _ in range(ROUNDS)) / PROMPTS * 1e6
    scrape = min(_timed(lambda: generate_latest(metrics.counted())) for _ in range(5)) * 1e3
    limit = MOST_MICROSECONDS[name]
    print(f"{name}: {best:.1f} µs for a request and its run (limit {limit:.0f}); a scrape {scrape:.1f} ms")
    return int(best > limit)


def _records() -> list[Any]:
    from apps.core import ids  # noqa: PLC0415
    from apps.prompts.types import ResolvedPrompt  # noqa: PLC0415
    from apps.providers.pricing import Price  # noqa: PLC0415
    from apps.runs.types import PromptReference  # noqa: PLC0415
    from apps.tenants.models import Project  # noqa: PLC0415
    from tests.factories import make_run_record  # noqa: PLC0415

    project = Project(id=ids.uuid7(), organization_id=ids.uuid7())
    model = "own/gpt-4o"
    found = []
    for number in range(PROMPTS):
        prompt = ResolvedPrompt(
            ids.uuid7(), f"p{number}", ids.uuid7(), 1, "production", "text", (), (), model, {}, None
        )
        record = make_run_record(project=project, model=model, prompt=prompt)
        request = replace(record.request, prompt=PromptReference(prompt.name, "production"))
        result = replace(record.result, price=Price("priced", Decimal("0.001")))
        found.append(replace(record, request=request, result=result))
    return found


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(measure(sys.argv[2]) if sys.argv[1:2] == ["measure"] else main())

"""One run of a playground page without script: through the same engine, in the process of the page."""

import asyncio
from typing import Final

from apps.core import rate_limits
from apps.runs.calling import RetryPolicy
from apps.runs.runtime import open_runtime
from apps.runs.types import RunRequest, RunResult

RUNS_PER_MINUTE: Final = 30
SECONDS: Final = 60.0


def run_once(request: RunRequest) -> RunResult:
    """Run and record, whole. Call it outside of any scope.

    Opening an engine takes some milliseconds, and a thread of the web server waits: this is for those whose
    browser runs no script. Raises core errors for what is refused, RateLimited above all.
    """
    rate_limits.check("playground_page", str(request.source_id), RUNS_PER_MINUTE, 60).enforce()

    async def run() -> RunResult:
        async with open_runtime(retries=RetryPolicy(retries=1), pool_size=2) as runtime:
            return await runtime.engine.execute(request)

    return asyncio.run(run())

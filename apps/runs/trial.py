"""One run from an ordinary web request, outside every scope: for a first try, not for serving."""

import asyncio
from typing import Final

from apps.runs.runtime import open_runtime
from apps.runs.types import RunRequest, RunResult

POOL_SIZE: Final = 1


def run_once(request: RunRequest) -> RunResult:
    """Run to the end and record; the engine is opened for this one call.

    Raises core errors for what is refused. Must not be called from an event loop, nor inside a scope.
    """

    async def run() -> RunResult:
        async with open_runtime(pool_size=POOL_SIZE) as runtime:
            return await runtime.engine.execute(request)

    return asyncio.run(run())

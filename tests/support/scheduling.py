"""Which tests go to one process together: those for which real servers would have to be started again."""

from typing import Any, Final

from xdist.scheduler import LoadScopeScheduling

TOGETHER: Final = {
    "tests/browser/whole/": "whole product",
    "tests/gateway/": "gateway",
    "tests/access/test_gateway.py": "gateway",
    "tests/acceptance/test_point_21": "gateway",
    "tests/acceptance/test_point_22": "gateway",
}


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist is not typed
    """One test after the other to whoever is free, in the order in which they were collected."""

    def __init__(self, config: Any, log: Any = None) -> None:
        # By size, browser tests would not come last.
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return next((name for start, name in TOGETHER.items() if nodeid.startswith(start)), nodeid)

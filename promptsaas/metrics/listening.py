"""Starting the listener of a process."""

import os
from collections.abc import Sequence

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from prometheus_client.registry import Collector

from apps.core.metrics_listener import Listener, parse_address
from apps.core.process_metrics import BuildCollector, ProcessCollector


def listen(*more: Collector, root: int | None = None) -> None:
    """Answer Prometheus where METRICS_ADDRESS says; without it, nowhere. Raises ImproperlyConfigured.

    `root` is the first process of this server, this one unless given.
    """
    if not settings.METRICS_ADDRESS:
        return
    try:
        address = parse_address(settings.METRICS_ADDRESS)
    except ValueError:
        raise ImproperlyConfigured(
            f"METRICS_ADDRESS must read host:port, not {settings.METRICS_ADDRESS!r}."
        ) from None
    listener = Listener(address, [*own_collectors(root), *more])
    os.register_at_fork(after_in_child=listener.forget_in_child)
    listener.start()


def listen_beside_siblings() -> None:
    """`listen` in one of the worker processes that Granian has started."""
    listen(root=os.getppid())


def own_collectors(root: int | None = None) -> Sequence[Collector]:
    """What every process tells besides what it has counted."""
    return BuildCollector(), ProcessCollector(root)

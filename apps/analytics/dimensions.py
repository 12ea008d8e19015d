"""What runs can be split and narrowed by. Pure but for naming the columns of segments."""

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

NONE: Final = "-"
"""Stands in an address for runs without a prompt, a version, a label or a key; no label can be called so."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One thing to split by.

    ``column`` is the segment's; ``of_errors`` marks the class of an error, which is no column and only splits
    errors. ``plural`` heads lists; ``nothing`` names the runs that have none.
    """

    key: str
    words: str
    plural: str
    column: str
    nothing: str = ""
    of_errors: bool = False


_ALL: Final = (
    Dimension("prompt", "Prompt", "Prompts", "prompt_id", "Without a prompt"),
    Dimension("version", "Version", "Versions", "version_id", "Without a prompt"),
    Dimension("label", "Label", "Labels", "label", "Without a label"),
    Dimension("model", "Model", "Models", "model"),
    Dimension("key", "API key", "API keys", "api_key_id", "Dashboard: batches and playground"),
    Dimension("source", "Source", "Sources", "source"),
    Dimension("error", "Error class", "Error classes", "", of_errors=True),
)
DIMENSIONS: Final[dict[str, Dimension]] = {each.key: each for each in _ALL}
METRICS_OF_ERRORS: Final = ("errors", "error_rate")
"""The metrics that can be split by the class of an error."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What figures are narrowed to: any of the values of each, all of the kinds; empty means everything.

    None among ids and "" among labels stand for runs without one. ``errors`` are classes: only errors and
    their rate can be narrowed to them.
    """

    prompts: tuple[UUID | None, ...] = ()
    versions: tuple[UUID | None, ...] = ()
    labels: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    keys: tuple[UUID | None, ...] = ()
    sources: tuple[str, ...] = ()
    errors: tuple[str, ...] = field(default=())


NO_FILTERS: Final = Filters()
COLUMNS: Final = {
    "prompts": ("prompt_id", "uuid"),
    "versions": ("version_id", "uuid"),
    "labels": ("label", "text"),
    "models": ("model", "text"),
    "keys": ("api_key_id", "uuid"),
    "sources": ("source", "text"),
}
"""Each kind of filter with its column of the segment and the column's type."""

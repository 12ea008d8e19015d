"""How a batch runs, kept as JSON while its rows are on their way."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from apps.batches.planning import VariantChoice
from apps.batches.rules import RerunRule, rule_of
from apps.batches.services.starting import BatchOptions
from apps.batches.work import as_json as work_as_json
from apps.batches.work import parse_work
from apps.runs.types import PromptReference

# The rest of the options are what JSON knows.
_WRITTEN: Final[dict[str, Callable[[Any], Any]]] = {
    "cost_cap": str,
    "api_key_id": str,
    "start_at": datetime.isoformat,
    "deadline": datetime.isoformat,
    "rerun_rule": RerunRule.as_json,
    "variants": lambda variants: [asdict(each) for each in variants],
    "work": work_as_json,
}
_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "cost_cap": Decimal,
    "api_key_id": UUID,
    "start_at": datetime.fromisoformat,
    "deadline": datetime.fromisoformat,
    "rerun_rule": rule_of,
    "variants": lambda told: tuple(VariantChoice(**each) for each in told),
    "work": parse_work,
}


def options_as_json(prompt: PromptReference, options: BatchOptions) -> dict[str, Any]:
    """A prompt and how it is to run; what isn't set is left out."""
    told: dict[str, Any] = {}
    for each in fields(BatchOptions):
        value = getattr(options, each.name)
        if value is not None:
            told[each.name] = _WRITTEN.get(each.name, _same)(value)
    return {
        "prompt": {"name": prompt.name, "label": prompt.label, "number": prompt.number},
        "options": told,
    }


def options_of(told: Mapping[str, Any]) -> tuple[PromptReference, BatchOptions]:
    """What `options_as_json` has kept."""
    values = {name: _READ.get(name, _same)(value) for name, value in told["options"].items()}
    return PromptReference(**told["prompt"]), BatchOptions(**values)


def _same(value: Any) -> Any:
    return value

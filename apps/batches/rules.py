"""Which finished rows are run again, and what then runs over them, as a job keeps it. Pure.

A choice reads ``{"match": "differs", "field": "confidence", "below": 0.7, "score_below": 3,
"status": "failed", "codes": ["output_invalid"]}``, each part of which narrows it; a rule is
``{"where": choice, "model": …, "version": … or "label": …}``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from apps.core.errors import InvalidRequest

STATUSES: Final = ("succeeded", "failed")
BAD_SCORE: Final = 3
"""Feedback below it is bad: scores go from 1 to 5."""


@dataclass(frozen=True, slots=True)
class RowChoice:
    """Finished rows by what came out. At least one part is given; rows meet all that are.

    `match` "differs" takes what disagrees with the expected value, `field` and `below` a number field of the
    parsed output, `score_below` feedback of the row's run with a lower score, `codes` reasons of failures.
    """

    status: str = ""
    codes: tuple[str, ...] = ()
    match: str = ""
    field: str = ""
    below: float | None = None
    score_below: int | None = None

    def check(self, param: str = "where") -> None:
        """Raise InvalidRequest ``row_choice_invalid`` for one that says nothing or can't be."""
        if self == RowChoice():
            _refuse("Say which rows: by match, field and below, score_below, status or codes.", param)
        if self.status and self.status not in STATUSES:
            _refuse(f"status is one of {', '.join(STATUSES)}.", f"{param}.status")
        if self.match not in ("", "differs", "match"):
            _refuse("match is differs or match.", f"{param}.match")
        if bool(self.field) != (self.below is not None):
            _refuse("field and below belong together.", f"{param}.{'below' if self.field else 'field'}")
        if self.below is not None and not math.isfinite(self.below):
            _refuse("below is a number.", f"{param}.below")
        if self.score_below is not None and not 2 <= self.score_below <= 5:
            _refuse("score_below is a number from 2 to 5.", f"{param}.score_below")

    def as_json(self) -> dict[str, Any]:
        """As a job keeps it: only what is said."""
        told: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        told["codes"] = list(self.codes)
        return {name: value for name, value in told.items() if value not in ("", None, [])}

    def words(self) -> str:
        """The choice as a person reads it, to stand after "rows"."""
        parts = [
            f"that {self.status}" if self.status else "",
            f"that failed with {', '.join(self.codes)}" if self.codes else "",
            {"differs": "that differ from the expected value", "match": "that match"}.get(self.match, ""),
            f"whose {self.field} is below {self.below:g}" if self.below is not None else "",
            f"with feedback below {self.score_below}" if self.score_below else "",
        ]
        return " and ".join(part for part in parts if part)


def choice_of(told: Mapping[str, Any]) -> RowChoice:
    """A choice as a job has kept it."""
    return RowChoice(**{**told, "codes": tuple(told.get("codes", ()))})


@dataclass(frozen=True, slots=True)
class RerunRule:
    """What is run once a batch has ended: a prompt version and a model over the rows of a choice.

    Empty values are the batch's own.
    """

    where: RowChoice
    model: str = ""
    version: int | None = None
    label: str | None = None

    def check(self) -> None:
        """Raise InvalidRequest ``row_choice_invalid`` or ``parameter_invalid``."""
        self.where.check("rerun_rule.where")
        if self.version is not None and self.label is not None:
            message = "Give version or label, not both."
            raise InvalidRequest(message, code="parameter_invalid", param="rerun_rule.label")

    def as_json(self) -> dict[str, Any]:
        """As a job keeps it: only what is said."""
        told = {"model": self.model, "version": self.version, "label": self.label}
        return {"where": self.where.as_json()} | {name: value for name, value in told.items() if value}

    def words(self) -> str:
        """The rule as a person reads it."""
        version = f"v{self.version}" if self.version else self.label or ""
        over = " and ".join(part for part in (version, self.model) if part) or "the same version and model"
        return f"rows {self.where.words()} are run again with {over}"


def rule_of(told: Mapping[str, Any]) -> RerunRule | None:
    """A rule as a job has kept it; None for {}."""
    if not told:
        return None
    return RerunRule(choice_of(told["where"]), told.get("model", ""), told.get("version"), told.get("label"))


def _refuse(message: str, param: str) -> None:
    raise InvalidRequest(message, code="row_choice_invalid", param=param)

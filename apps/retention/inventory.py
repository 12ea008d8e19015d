"""What each kind of erasure does with every text, JSON and binary field of every table, in one table.

`inventory_table.PARTS` is the one source: the pages' and certificates' words on what stays are made from it,
deleting an organization follows it, and a test fails for a field that it doesn't name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import models

TEXT_FIELDS: Final = (
    models.CharField,
    models.TextField,
    models.JSONField,
    models.BinaryField,
    models.FileField,
    models.GenericIPAddressField,
    ArrayField,
)


class Treatment(StrEnum):
    """What happens to a field. The value is the word that pages use."""

    DELETED = "deleted"
    BLANKED = "emptied"
    PSEUDONYMISED = "replaced by a pseudonym"
    SHREDDED = "made unreadable: its key is destroyed"
    STAYS = "stays"
    NOTHING = "holds nothing of the kind"


@dataclass(frozen=True, slots=True)
class Rule:
    """A treatment. `searched`: only where one of the texts that were given is found.

    What stays says why and until when.
    """

    treatment: Treatment
    searched: bool = False
    reason: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Some fields of one model that are treated alike, and the rule for each kind of erasure.

    `words` names the data on pages; parts with the same words and rules are shown as one.
    """

    model: str
    fields: tuple[str, ...]
    words: str
    end_user: Rule
    member: Rule
    organization: Rule

    def rule(self, kind: str) -> Rule:
        """The rule for a kind of erasure: end_user, member or organization."""
        rule: Rule = getattr(self, kind)
        return rule


@dataclass(frozen=True, slots=True)
class Line:
    """A line of what a page says of an erasure: which data, and what becomes of it."""

    words: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class Group:
    """Everything that one rule holds for, in words."""

    rule: Rule
    words: tuple[str, ...]


def text_fields(model: type[models.Model]) -> set[str]:
    """The fields of a model that can hold words: everything but numbers, times, ids and fixed choices."""
    return {
        field.name
        for field in model._meta.local_concrete_fields
        if isinstance(field, TEXT_FIELDS) and not field.choices
    }


def covered_models() -> list[type[models.Model]]:
    """Every table of every room and library."""
    return [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]


def lines(parts: tuple[Part, ...], kind: str, *, stays: bool) -> Iterator[Line]:
    """What stays, or what goes, in the order of the table; each line once."""
    seen: set[tuple[str, Rule]] = set()
    for part in parts:
        rule = part.rule(kind)
        if rule.treatment is Treatment.NOTHING or (rule.treatment is Treatment.STAYS) != stays:
            continue
        if (part.words, rule) not in seen:
            seen.add((part.words, rule))
            yield Line(part.words, rule)


def grouped(found: list[Line]) -> list[Group]:
    """Lines with one rule as one, in the order of their first."""
    by_rule: dict[Rule, list[str]] = {}
    for line in found:
        by_rule.setdefault(line.rule, []).append(line.words)
    return [Group(rule, tuple(words)) for rule, words in by_rule.items()]

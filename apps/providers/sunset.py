"""Which of a project's models are gone or go soon, as their providers published it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from apps.providers import queries
from apps.providers.alias_queries import alias_targets
from apps.providers.patterns import is_pattern
from apps.providers.retirements import Retirement, retirement_of

DEFAULT_MODEL: Final = "default model"


@dataclass(frozen=True, slots=True)
class RetiringModel:
    """A model of the project that goes, by its reference; `uses` says what names it beside prompts."""

    reference: str
    retirement: Retirement
    uses: tuple[str, ...]

    @property
    def instead(self) -> str:
        """The reference of what the provider recommends; empty where it names nothing."""
        connection, _, _ = self.reference.partition("/")
        return f"{connection}/{self.retirement.instead}" if self.retirement.instead else ""


@dataclass(frozen=True, slots=True)
class Sunset:
    """What is needed to say of any reference of a project whether its model goes."""

    base_urls: Mapping[str, str]
    aliases: Mapping[str, str]
    today: date

    def of(self, reference: str) -> Retirement | None:
        """When the model that a reference leads to, through an alias too, is gone or goes within 90 days."""
        connection, _, model = self.aliases.get(reference, reference).partition("/")
        found = retirement_of(self.base_urls.get(connection, ""), model)
        return found if found is not None and found.is_near(self.today) else None


def sunset_of(project_id: UUID, today: date) -> Sunset:
    """A project's, in two queries. Needs the organization's scope."""
    urls = {each.name: each.base_url for each in queries.effective_credentials(project_id)}
    return Sunset(urls, alias_targets(project_id), today)


def retiring_models(project_id: UUID, today: date) -> list[RetiringModel]:
    """The default model, the targets of aliases and the enabled models that go, the nearest first.

    Needs the organization's scope.
    """
    credentials = queries.effective_credentials(project_id)
    aliases = alias_targets(project_id)
    sunset = Sunset({each.name: each.base_url for each in credentials}, {}, today)
    uses: dict[str, list[str]] = {}
    for credential in credentials:
        for model in credential.model_ids:
            if not is_pattern(model):
                uses.setdefault(f"{credential.name}/{model}", [])
    for name, target in aliases.items():
        uses.setdefault(target, []).append(f"alias {name}")
    default = queries.chosen_default(project_id)
    if default:
        uses.setdefault(default, []).append(DEFAULT_MODEL)
    found = [
        RetiringModel(reference, retirement, tuple(said))
        for reference, said in uses.items()
        if reference not in aliases and (retirement := sunset.of(reference)) is not None
    ]
    return sorted(found, key=lambda each: (each.retirement.day, each.reference))

"""How a prompt or a project is served, told whole: what it says itself, what holds, where that is from.

Reads only; call inside the organization's scope.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from django.db.models import Q

from apps.core.extensions import VECTOR, has_extension
from apps.guardrails.policy import as_json
from apps.prompts import queries
from apps.prompts.models import Prompt, ServingPolicy
from apps.prompts.serving import SECTIONS, Section, ServingRules, parse_rules, section_body
from apps.providers import sandbox
from apps.providers.models import ModelAlias, ProviderCredential
from apps.providers.patterns import matches
from apps.providers.queries import choices_from, effective_credentials
from apps.tenants.models import Project

Origin = Literal["prompt", "project", "default"]
NO_VECTOR: Final = (
    "This server's database has no pgvector, so answers are not compared by meaning. "
    "Whoever runs it creates the extension vector."
)
MADE_UP: Final = "The sandbox makes its answers up, so it stands in for other models of the sandbox only."
_NOTHING: Final[Mapping[Section, Any]] = dict.fromkeys(SECTIONS)


@dataclass(frozen=True, slots=True)
class Caution:
    """What is allowed and yet won't do what it seems to; `param` names the field."""

    param: str
    message: str


@dataclass(frozen=True, slots=True)
class ServingState:
    """`own` are the sections that the prompt, or the project, says itself (None: it says nothing);
    `project` those of the project's default. `effective` are all four with every field; `origins` tell whose
    they are. `revision` is 0 before the first change. `models` are the aliases and models that the project
    can call.
    """

    own: Mapping[Section, Any]
    project: Mapping[Section, Any]
    rules: ServingRules
    effective: Mapping[Section, dict[str, Any]]
    origins: Mapping[Section, Origin]
    revision: int
    changed_at: datetime | None
    changed_by: str
    warnings: tuple[Caution, ...]
    models: tuple[str, ...]


def serving_state(project: Project, prompt: Prompt | None = None) -> ServingState:
    """How a prompt is served; without one the project's default, which is also how plain models are."""
    mine, default = _policies(project, prompt)
    own, of_project = _sections(mine), _sections(default)
    rules, models = parse_rules(own, of_project), _Models.of(project)
    return ServingState(
        own=own,
        project=of_project,
        rules=rules,
        effective={
            "guardrails": as_json(rules.guardrails),
            "cache": section_body(rules.cache),
            "calls": section_body(rules.calls),
            "limits": section_body(rules.limits),
        },
        origins={name: _origin(name, own, of_project, prompt) for name in SECTIONS},
        revision=mine.revision if mine else 0,
        changed_at=mine.changed_at if mine else None,
        changed_by=mine.changed_by if mine else "",
        warnings=tuple(_warnings(models, prompt, rules)),
        models=models.callable,
    )


def _policies(project: Project, prompt: Prompt | None) -> tuple[ServingPolicy | None, ServingPolicy | None]:
    """The policy that is asked for, and the project's default; one query."""
    wanted = Q(prompt=None) | Q(prompt=prompt) if prompt else Q(prompt=None)
    found = {each.prompt_id: each for each in ServingPolicy.objects.filter(wanted, project=project)}
    default = found.get(None)
    return (found.get(prompt.pk) if prompt else default), default


def _sections(policy: ServingPolicy | None) -> Mapping[Section, Any]:
    return {name: getattr(policy, name) for name in SECTIONS} if policy else _NOTHING


def _origin(
    name: Section, own: Mapping[Section, Any], project: Mapping[Section, Any], prompt: Prompt | None
) -> Origin:
    if own[name] is not None:
        return "prompt" if prompt else "project"
    return "default" if project[name] is None else "project"


def _warnings(models: "_Models", prompt: Prompt | None, rules: ServingRules) -> Iterator[Caution]:
    named = {f"calls.fallbacks.{number}": model for number, model in enumerate(rules.calls.fallbacks)}
    yield from (
        Caution(param, MADE_UP)
        for param, model in named.items()
        if model.startswith(f"{sandbox.CONNECTION}/")
    )
    if rules.cache.semantic_seconds:
        named["cache.embedding_model"] = rules.cache.embedding_model
        if not has_extension(VECTOR):
            yield Caution("cache.semantic_seconds", NO_VECTOR)
    if rules.guardrails.judge:
        named["guardrails.judge.model"] = rules.guardrails.judge.model
    for param, model in named.items():
        problem = models.problem(model)
        if problem:
            yield Caution(param, problem)
    if prompt is not None:
        yield from _unread(prompt, rules)


def _unread(prompt: Prompt, rules: ServingRules) -> Iterator[Caution]:
    """Variables that are named and that the newest version doesn't have: most likely misspelt."""
    spotlight = rules.guardrails.spotlight
    named = {
        f"cache.sensitive_variables.{number}": (name, "nothing is kept apart by it")
        for number, name in enumerate(rules.cache.sensitive_variables)
    } | {
        f"guardrails.spotlight.variables.{number}": (name, "nothing of it is marked")
        for number, name in enumerate((spotlight and spotlight.variables) or ())
    }
    if not named:
        return
    newest = queries.latest_version(prompt)
    known = {variable["name"] for variable in newest.variables}
    for param, (name, effect) in named.items():
        if name not in known:
            yield Caution(param, f"v{newest.number} has no variable {name}, so {effect}.")


@dataclass(frozen=True, slots=True)
class _Models:
    """What a project can call: its connections by name, and its aliases."""

    connections: Mapping[str, ProviderCredential]
    aliases: tuple[str, ...]

    @classmethod
    def of(cls, project: Project) -> "_Models":
        aliases = ModelAlias.objects.filter(Q(project=None) | Q(project=project))
        return cls(
            {each.name: each for each in effective_credentials(project.pk)},
            tuple(sorted(set(aliases.values_list("name", flat=True)))),
        )

    @property
    def callable(self) -> tuple[str, ...]:
        """Aliases, then models."""
        found = (choice.reference for choice in choices_from(self.connections.values()))
        return tuple(dict.fromkeys([*self.aliases, *found]))

    def problem(self, reference: str) -> str:
        """Why a call of a model would be refused; empty where it wouldn't."""
        if reference in self.aliases:
            return ""
        slug, _, model = reference.partition("/")
        if not model:
            return f"There is no alias {reference}, so a call of it fails."
        if slug == sandbox.CONNECTION:
            return ""
        credential = self.connections.get(slug)
        if credential is None:
            return f"There is no connection {slug}, so a call of {reference} fails."
        if not any(matches(pattern, model) for pattern in credential.model_ids):
            return f"{model} is not enabled on the connection {slug}, so a call of it fails."
        return ""

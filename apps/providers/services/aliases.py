"""Model aliases: made, pointed elsewhere, removed; runs follow within a second."""

import re
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Q

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes
from apps.core.errors import Conflict, InvalidRequest
from apps.providers import queries
from apps.providers.alias_queries import ALIASES_CHANGED
from apps.providers.models import ModelAlias
from apps.providers.patterns import matches
from apps.providers.types import SANDBOX
from apps.tenants.models import Organization, Project

MOST_ALIASES: Final = 500
LONGEST_REASON: Final = 200
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_REFERENCE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}/[\x21-\x7e]{1,200}")


def create_alias(
    *,
    actor: Actor,
    organization: Organization,
    project: Project | None,
    name: str,
    target: str,
    reason: str = "",
) -> ModelAlias:
    """A name that stands for a model, in a project or (None) in all of them.

    Raises InvalidRequest for a value that can't be, Conflict for a name in use.
    """
    name = _checked_name(name)
    alias = ModelAlias(
        organization=organization,
        project=project,
        name=name,
        target=_checked_target(organization, project, name, target),
        reason=_checked_reason(reason),
        created_by=actor.display[:254],
    )
    if ModelAlias.objects.count() >= MOST_ALIASES:
        raise InvalidRequest(f"An organization has at most {MOST_ALIASES} aliases.", code="too_many_aliases")
    try:
        with transaction.atomic():
            alias.save(force_insert=True)
    except IntegrityError:
        where = "in this project" if project else "for every project"
        message = f"There is an alias named '{name}' {where} already."
        raise Conflict(message, code="name_taken", param="name") from None
    _record(actor, alias, "model_alias.created", before=None, after=alias.target)
    return alias


def change_alias(
    *, actor: Actor, alias: ModelAlias, target: str | None = None, reason: str | None = None
) -> ModelAlias:
    """Point an alias elsewhere, or say anew why; None leaves a value as it is. Raises InvalidRequest."""
    alias.refresh_from_db(from_queryset=ModelAlias.objects.select_for_update(no_key=True))
    before = alias.target
    if target is not None:
        alias.target = _checked_target(alias.organization, alias.project, alias.name, target)
    if reason is not None:
        alias.reason = _checked_reason(reason)
    alias.save()
    _record(actor, alias, "model_alias.changed", before=before, after=alias.target)
    return alias


def delete_alias(*, actor: Actor, alias: ModelAlias) -> None:
    """Remove an alias. What asks for its name fails from then on, unless a model bears it."""
    _record(actor, alias, "model_alias.deleted", before=alias.target, after=None)
    alias.delete()


def _record(actor: Actor, alias: ModelAlias, action: str, *, before: str | None, after: str | None) -> None:
    audit.record(
        actor=actor,
        action=action,
        target=alias,
        organization_id=alias.organization_id,
        changes={"target": (before, after), "every_project": (None, alias.project_id is None)},
    )
    changes.append(ALIASES_CHANGED, str(alias.organization_id))


def _checked_name(name: str) -> str:
    name = name.strip()
    if _WORD.fullmatch(name) or (_REFERENCE.fullmatch(name) and not name.startswith(f"{SANDBOX}/")):
        return name
    message = (
        "A name is one word of letters, digits, dots, hyphens and underscores, as in fast, or the reference "
        "of a model that it replaces, as in openai/gpt-4. The sandbox's models can't be replaced."
    )
    raise InvalidRequest(message, code="name_invalid", param="name")


def _checked_target(organization: Organization, project: Project | None, name: str, target: str) -> str:
    target = target.strip()
    if not _REFERENCE.fullmatch(target):
        message = "A target is named <connection>/<model>, as in openai/gpt-4o-mini."
        raise InvalidRequest(message, code="model_malformed", param="target")
    if target == name:
        raise InvalidRequest("An alias can't stand for itself.", code="alias_loop", param="target")
    others = ModelAlias.objects.filter(organization=organization).exclude(name=name)
    if others.filter(Q(name=target)).exists():
        message = f"{target} is an alias itself, and aliases don't lead to aliases."
        raise InvalidRequest(message, code="alias_loop", param="target")
    if others.filter(Q(target=name)).exists():
        message = f"Another alias leads to {name}, and aliases don't lead to aliases."
        raise InvalidRequest(message, code="alias_loop", param="name")
    if project is not None:
        _demand_callable(project, target)
    return target


def _demand_callable(project: Project, target: str) -> None:
    """Raise InvalidRequest for a model that the project can't call; one of every project may name any."""
    connection, _, model = target.partition("/")
    if connection == SANDBOX:
        known = target in {choice.reference for choice in queries.choices_from(())}
    else:
        found = [each for each in queries.effective_credentials(project.id) if each.name == connection]
        known = any(matches(pattern, model) for each in found for pattern in each.model_ids)
    if not known:
        message = f"{target} is not one of this project's models. Enable it on its connection first."
        raise InvalidRequest(message, code="model_not_enabled", param="target")


def _checked_reason(reason: str) -> str:
    reason = reason.strip()
    if len(reason) > LONGEST_REASON:
        message = f"A reason has at most {LONGEST_REASON} characters."
        raise InvalidRequest(message, code="content_too_large", param="reason")
    return reason

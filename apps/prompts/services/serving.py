"""How a prompt, or a project's plain models, are served: changed section by section."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, outbox
from apps.core.errors import Conflict
from apps.prompts import queries
from apps.prompts.models import Prompt, ServingPolicy
from apps.prompts.services.common import lock_prompt
from apps.prompts.serving import SERVING_CHANGED, Section, clean_section
from apps.tenants.models import Project


def change_serving(
    *,
    actor: Actor,
    project: Project,
    prompt: Prompt | None = None,
    sections: Mapping[Section, dict[str, Any] | None],
    revision: int | None = None,
) -> ServingPolicy:
    """Put these sections in the place of a prompt's, or of a project's default; None resets a section.

    A reset section is the project's again, or the product's default. With `revision` it is a
    compare-and-set; a policy that was never changed has revision 0. Every gateway obeys within a second.
    Raises InvalidRequest naming the field, Conflict ``serving_stale``.
    """
    cleaned = {
        name: None if value is None else clean_section(name, value) for name, value in sections.items()
    }
    policy = _locked(project, prompt)
    known = 0 if policy._state.adding else policy.revision
    if revision is not None and revision != known:
        raise _stale(known)
    differing = {name: value for name, value in cleaned.items() if getattr(policy, name) != value}
    if not differing:
        return policy
    before = {name: getattr(policy, name) for name in differing}
    for name, value in differing.items():
        setattr(policy, name, value)
    policy.revision = known + 1
    policy.changed_by = actor.display[:254]
    policy.changed_at = timezone.now()
    policy.save()
    audit.record(
        actor=actor,
        action="serving.changed",
        target=prompt or project,
        organization_id=project.organization_id,
        changes=_changed_fields(before, differing),
    )
    _tell(actor, project, prompt, list(differing))
    return policy


def _locked(project: Project, prompt: Prompt | None) -> ServingPolicy:
    """The policy's row, new where there is none; prompt or project is locked, so it is made once."""
    if prompt is not None:
        lock_prompt(prompt)
    else:
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    found = queries.serving_policy(project, prompt)
    if found is not None:
        return found
    return ServingPolicy(organization_id=project.organization_id, project=project, prompt=prompt)


def _changed_fields(
    before: Mapping[Section, Any], after: Mapping[Section, Any]
) -> dict[str, tuple[object, object]]:
    """Each field that differs as ``section.field``; a section that comes or goes as a whole says so too."""
    found: dict[str, tuple[object, object]] = {}
    for section, value in after.items():
        old, new = before[section], value
        if (old is None) != (new is None):
            found[section] = _whose(old), _whose(new)
        old, new = old or {}, new or {}
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                found[f"{section}.{name}"] = old.get(name), new.get(name)
    return found


def _whose(section: Any) -> str:
    return "inherited" if section is None else "own"


def _tell(actor: Actor, project: Project, prompt: Prompt | None, sections: list[Section]) -> None:
    if prompt is not None:
        changes.append("prompt", str(prompt.pk))
    else:
        changes.append(SERVING_CHANGED, str(project.pk))
    payload = {
        "project_id": project.public_id,
        "prompt_id": prompt.public_id if prompt else None,
        "prompt": prompt.name if prompt else None,
        "sections": sections,
        "actor": actor.told(),
    }
    outbox.write("prompt.serving.changed", payload, project.organization_id)


def _stale(revision: int) -> Conflict:
    return Conflict(
        "Somebody changed how this is served since you looked. Look again, then repeat.",
        code="serving_stale",
        param="revision",
        revision=revision,
    )

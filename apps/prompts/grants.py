"""Who may do what on one prompt: the rights in its project, widened by grants on single prompts.

A grant only widens. Seeing comes along with every other grant, and an API key carries none. Whoever holds a
right in the whole project costs no query here; everybody else one, however many prompts there are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from apps.core import ids
from apps.prompts.models import GRANTABLE, Prompt, PromptUserObjectPermission
from apps.tenants.access import Access
from apps.tenants.models import Project
from apps.tenants.roles import Permission

_NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class PromptRights:
    """One caller's rights on the prompts that it was loaded for."""

    in_project: frozenset[str]
    by_prompt: Mapping[UUID, frozenset[str]]

    def can(self, permission: str, prompt: Prompt) -> bool:
        """Whether the caller holds a permission on a prompt: in its project, or by a grant."""
        return permission in self.in_project or permission in self.by_prompt.get(prompt.pk, _NOTHING)


def rights_on(access: Access, prompts: Iterable[Prompt]) -> PromptRights:
    """The caller's rights on some prompts, such as the rows of a page; at most one query."""
    wanted = {prompt.pk for prompt in prompts}
    found: dict[UUID, set[str]] = {}
    if wanted and not _holds_all(access):
        rows = _grants(access).filter(content_object_id__in=wanted)
        for prompt_id, codename in rows.values_list("content_object_id", "permission__codename"):
            found.setdefault(prompt_id, {Permission.PROMPTS_VIEW.value}).add(codename)
    return PromptRights(access.permissions, {prompt_id: frozenset(held) for prompt_id, held in found.items()})


def visible_prompts(
    access: Access, prompts: QuerySet[Prompt], permission: str = Permission.PROMPTS_VIEW
) -> QuerySet[Prompt]:
    """Those of the prompts on which the caller holds a permission; filtered in SQL, no query more."""
    if access.can(permission):
        return prompts
    rows = _granting(access, permission)
    return prompts.filter(pk__in=rows.values("content_object_id"))


def is_granted(access: Access, project: Project, reference: str, permission: str) -> bool:
    """Whether a grant gives a permission on the prompt that a public id or a name names."""
    rows = _granting(access, permission).filter(content_object__project_id=project.pk)
    prompt_id = ids.decode_or_none(Prompt.PREFIX, reference)
    if prompt_id is not None and rows.filter(content_object_id=prompt_id).exists():
        return True
    return rows.filter(content_object__name=reference).exists()


def is_granted_somewhere(access: Access, project: Project, permission: str) -> bool:
    """Whether a grant gives a permission on any prompt of a project."""
    return _granting(access, permission).filter(content_object__project_id=project.pk).exists()


def given_on(prompt: Prompt) -> list[tuple[UUID, str]]:
    """Every grant on a prompt as user and permission, oldest first."""
    rows = PromptUserObjectPermission.objects.filter(content_object=prompt).order_by("id")
    return list(rows.values_list("user_id", "permission__codename"))


def _holds_all(access: Access) -> bool:
    return access.permissions >= set(GRANTABLE)


def _grants(access: Access) -> QuerySet[PromptUserObjectPermission]:
    rows = PromptUserObjectPermission.objects.order_by()
    who = access.actor
    return rows.filter(user_id=who.id) if who.kind == "user" and who.id else rows.none()


def _granting(access: Access, permission: str) -> QuerySet[PromptUserObjectPermission]:
    rows = _grants(access)
    # Whatever was granted, its prompt can be seen.
    return rows if permission == Permission.PROMPTS_VIEW else rows.filter(permission__codename=permission)

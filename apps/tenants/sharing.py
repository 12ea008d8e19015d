"""Who has access to one object, and why: by a role, or by rights given to a person. Inside the scope."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.db.models import F

from apps.tenants import people
from apps.tenants.models import Membership, Project, ProjectUserObjectPermission
from apps.tenants.permission_words import WORDS

PEOPLE_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class RoleAccess:
    """What everybody with one role may do with the object."""

    reference: str
    name: str
    members: int
    rights: tuple[str, ...]
    everything: bool


@dataclass(frozen=True, slots=True)
class GivenRight:
    """A right that one person was given; `why` is empty when it was given on the object itself."""

    permission: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class PersonAccess:
    """A member with the rights they were given beside their role's."""

    member: Membership
    role: str
    rights: list[GivenRight] = field(default_factory=list)


def by_role(permissions: Iterable[str]) -> list[RoleAccess]:
    """The roles that somebody has and that give any of the permissions; two statements."""
    wanted = frozenset(permissions)
    counts = people.members_by_role()
    found = []
    for option in people.role_options():
        held = option.permissions & wanted
        if held and counts.get(option.reference):
            rights = tuple(words.text for words in WORDS if words.permission in held)
            count = counts[option.reference]
            found.append(RoleAccess(option.reference, option.name, count, rights, held == wanted))
    return found


def by_person(given: dict[UUID, list[GivenRight]]) -> list[PersonAccess]:
    """The members who were given rights, by name; one statement. `given` is by user."""
    found = people.members().filter(user_id__in=list(given)).order_by(F("shown_name"))[:PEOPLE_SHOWN]
    return [PersonAccess(member, people.role_word(member), given[member.user_id]) for member in found]


def project_rights(project: Project, *, why: str = "") -> dict[UUID, list[GivenRight]]:
    """The rights given on a project, by user."""
    rows = ProjectUserObjectPermission.objects.filter(content_object=project).order_by("id")
    given: dict[UUID, list[GivenRight]] = {}
    for user_id, permission in rows.values_list("user_id", "permission__codename"):
        given.setdefault(user_id, []).append(GivenRight(permission, why))
    return given


def choosable_members() -> list[Membership]:
    """Active members by name, for the field that offers them; the first 200."""
    return list(people.members().filter(user__is_active=True).order_by(F("shown_name"))[:PEOPLE_SHOWN])

"""The list of members: its columns, filters and file."""

from dataclasses import dataclass
from typing import Final

from django.db.models import F
from django.db.models.functions import Coalesce

from apps.core.tables import Column, Filter, Table, register
from apps.tenants.account_queries import users_with_mfa
from apps.tenants.models import Membership
from apps.tenants.people import WITH_MFA, WITHOUT_MFA, role_word
from apps.tenants.roles import name_of_role


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member with what the page tells of them."""

    member: Membership
    role: str
    role_word: str
    has_mfa: bool


def _rows(members: list[Membership]) -> list[MemberRow]:
    have = users_with_mfa([member.user_id for member in members])
    return [
        MemberRow(member, name_of_role(member), role_word(member), member.user_id in have)
        for member in members
    ]


MEMBERS: Final = register(
    Table[Membership, MemberRow](
        key="members",
        prefix=Membership.PREFIX,
        noun=("member", "members"),
        search="Search members",
        default_sort="name",
        prepare=_rows,
        filters=(
            Filter("role", "Role"),
            Filter("mfa", "Second factor", [(WITH_MFA, "Has one"), (WITHOUT_MFA, "Has none")]),
        ),
        columns=(
            Column("id", "Id", lambda row: row.member.public_id, export_only=True),
            Column("name", "Name", lambda row: row.member.user.display_name, sort="shown_name", always=True),
            Column("email", "E-mail", lambda row: row.member.user.email, export_only=True),
            Column("role", "Role", lambda row: row.role, sort=Coalesce(F("custom_role__name"), F("role"))),
            Column("mfa", "Second factor", lambda row: row.has_mfa),
            Column(
                "active",
                "Last active",
                lambda row: row.member.last_active_at,
                sort="last_active_at",
                nullable=True,
                downwards=True,
            ),
            Column("joined", "Joined", lambda row: row.member.created_at, sort="id", downwards=True),
        ),
    )
)

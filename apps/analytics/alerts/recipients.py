"""Who is told: members of the organization who may see what the mail says, looked up anew for each mail.

A rule keeps ids of memberships. Whoever has left, may no longer see the project, or can't sign in gets
nothing, without anybody having to change the rule. There are no free addresses: a mail says what a project's
figures are.
"""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from apps.analytics.alerts.models import MOST_RECIPIENTS, AlertKind, AlertRule
from apps.core.errors import InvalidRequest
from apps.tenants import people
from apps.tenants.models import Membership, Project
from apps.tenants.roles import Permission

MOST_OFFERED: Final = 300


def permission_for(kind: str) -> Permission:
    """What one must be allowed to see to make a rule of this kind, or to be told of one."""
    return Permission.USAGE_VIEW if kind == AlertKind.QUOTA else Permission.RUNS_VIEW


def offered(project: Project, kind: str = "") -> list[Membership]:
    """The members who can be told, by name. Two statements."""
    return people.members_who_may(project, permission_for(kind))[:MOST_OFFERED]


def reachable(rule: AlertRule) -> list[Membership]:
    """Whom a mail of this rule goes to now. Two statements."""
    return (
        people.members_who_may(rule.project, permission_for(rule.kind), rule.recipients)
        if rule.recipients
        else []
    )


def checked(project: Project, kind: str, member_ids: Iterable[UUID]) -> list[UUID]:
    """The ids, each once. Raises InvalidRequest for one that names no member who may see the figures."""
    wanted = list(dict.fromkeys(member_ids))
    if len(wanted) > MOST_RECIPIENTS:
        raise InvalidRequest(
            f"A rule tells at most {MOST_RECIPIENTS} members.", code="alert_rule_invalid", param="recipients"
        )
    known = (
        {each.pk for each in people.members_who_may(project, permission_for(kind), wanted)}
        if wanted
        else set()
    )
    if any(each not in known for each in wanted):
        message = "Only members of the organization who may see the figures can be told."
        raise InvalidRequest(message, code="alert_rule_invalid", param="recipients")
    return wanted

"""Setting how long a class of data is kept."""

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.billing import plans
from apps.core.errors import InvalidRequest
from apps.retention import rules
from apps.retention.models import DataClass, RetentionPolicy
from apps.tenants.models import Organization, Project


def set_policy(
    *,
    actor: Actor,
    organization: Organization,
    data_class: DataClass,
    days: int | None,
    project: Project | None = None,
) -> RetentionPolicy:
    """Keep a class for so many days, or (None) until somebody deletes it; for one project or for all.

    Raises InvalidRequest for fewer days than the class has at least, more than the plan allows, or a project
    where the class belongs to the whole organization. Setting what is set already changes nothing.
    """
    _check(organization, data_class, days, project)
    policy, created = RetentionPolicy.objects.select_for_update().get_or_create(
        organization=organization, project=project, data_class=data_class, defaults={"days": days}
    )
    before = None if created else policy.days
    if not created and before == days:
        return policy
    policy.days = days
    policy.save(update_fields=["days", "updated_at"])
    was = "as before it" if created else _said(before)
    _record(actor, policy, "retention_policy.set", was, _said(days))
    return policy


def clear_policy(
    *, actor: Actor, organization: Organization, data_class: DataClass, project: Project | None = None
) -> None:
    """Take a policy back: a project follows the organization again, the organization its plan."""
    policy = (
        RetentionPolicy.objects.select_for_update()
        .filter(organization=organization, project=project, data_class=data_class)
        .first()
    )
    if policy is None:
        return
    _record(actor, policy, "retention_policy.cleared", _said(policy.days), None)
    policy.delete()


def _check(
    organization: Organization, data_class: DataClass, days: int | None, project: Project | None
) -> None:
    rule = rules.BY_CLASS[data_class]
    if project is not None and not rule.per_project:
        raise InvalidRequest(
            f"{data_class.label} belong to the whole organization; no project has its own days.",
            code="retention_not_per_project",
            param="project",
        )
    if days is None:
        return
    if not rule.fewest_days <= days <= rules.MOST_DAYS:
        raise InvalidRequest(
            f"{data_class.label} are kept for {rule.fewest_days:,} to {rules.MOST_DAYS:,} days.",
            code="retention_days_invalid",
            param="days",
        )
    plan = plans.plan_of(organization.id)
    longest = plan.longest_days.get(data_class)
    if longest is not None and days > longest:
        raise InvalidRequest(
            f"The plan {plan.name} keeps this for at most {longest:,} days.",
            code="retention_days_over_plan",
            param="days",
        )


def _said(days: int | None) -> str:
    return "keep" if days is None else f"{days} days"


def _record(
    actor: Actor, policy: RetentionPolicy, action: str, before: str | None, after: str | None
) -> None:
    audit.record(
        actor=actor,
        action=action,
        target=policy,
        organization_id=policy.organization_id,
        changes={
            "kept": (before, after),
            "project": (None, policy.project.public_id if policy.project else None),
        },
        target_name=policy.data_class,
    )

"""Writes: people."""

from allauth.account.models import EmailAddress
from django.db import transaction

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, errors
from apps.core.scope import system_scope
from apps.tenants.account_queries import has_account
from apps.tenants.models import User


def create_user(
    *, actor: Actor, email: str, password: str | None, name: str = "", verified: bool = False
) -> User:
    """A person with an e-mail address. Raises Conflict when the address is taken."""
    with transaction.atomic():
        if has_account(email):
            raise errors.Conflict("There is already an account with this e-mail address.", param="email")
        user = User.objects.create_user(email, password, name=" ".join(name.split()))
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=verified)
        audit.record(actor=actor, action="user.created", target=user, organization_id=None)
    return user


def set_theme(*, actor: Actor, user: User, theme: str) -> User:
    """Store a user's theme: "", light or dark. Raises InvalidRequest for anything else."""
    if theme not in User.Theme.values:
        raise errors.InvalidRequest("The theme is light, dark or empty for the system's.", param="theme")
    if theme == user.theme:
        return user
    with transaction.atomic():
        before, user.theme = user.theme, theme
        user.save(update_fields=["theme"])
        audit.record(
            actor=actor,
            action="user.updated",
            target=user,
            organization_id=None,
            changes={"theme": (before, theme)},
        )
    return user


def deactivate_user(*, actor: Actor, user: User) -> User:
    """Shut a user out: no sign-in, no session, no power in any of their API keys."""
    with system_scope():
        user = User.objects.select_for_update().get(id=user.id)
        if not user.is_active:
            return user
        user.is_active = False
        user.save(update_fields=["is_active"])
        changes.append("membership", str(user.id))
        audit.record(
            actor=actor,
            action="user.deactivated",
            target=user,
            organization_id=None,
            changes={"is_active": (True, False)},
        )
    return user

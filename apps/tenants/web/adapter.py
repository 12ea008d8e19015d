"""django-allauth's hooks. ``login`` is the one place where a session begins, whatever way led there."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core.request_id import current_request_id
from apps.tenants.access import user_actor
from apps.tenants.entrance import client_ip
from apps.tenants.models import User
from apps.tenants.services import accounts
from apps.tenants.web import lockout


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Sign-in by e-mail; sign-ins and refused ones are audited."""

    def login(self, request: HttpRequest, user: User) -> None:
        """Begin a session for an active user. Raises PermissionDenied for another."""
        if not user.is_active:
            raise PermissionDenied
        super().login(request, user)
        actor = user_actor(user, ip=client_ip(request), request_id=current_request_id())
        audit.record(
            actor=actor,
            action="session.started",
            target=user,
            organization_id=None,
            changes={"by": (None, _ways(request, user))},
        )

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count a try; once there were too many, say when the next one counts. Known or not: alike."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError as problem:
            if problem.code not in lockout.CODES:
                raise
            key = self._get_login_attempts_cache_key(request, **credentials)
            raise lockout.locked(request, key) from None

    def set_password(self, user: User, password: str) -> None:
        """A new password, by whatever way: audited, and the user's other sessions end with the old one."""
        same = self.request.user.is_authenticated and self.request.user.pk == user.pk
        actor = user_actor(user, ip=client_ip(self.request), request_id=current_request_id())
        with transaction.atomic():
            super().set_password(user, password)
            keep = self.request.session.session_key if same else None
            accounts.note_password_changed(actor=actor, user=user, keep=keep)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Where the form for a new password leads."""
        return reverse("tenants:security")

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Audit a wrong password; allauth's rate limit has counted it already."""
        email = str(credentials.get("email", ""))[:254]
        actor = Actor(kind="user", id=None, role="", display=email, ip=client_ip(request))
        audit.record_refused(
            actor=actor,
            action="session.refused",
            organization_id=None,
            reason="wrong e-mail address or password",
        )

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that sign-in's rate limits count by; they fail closed without one."""
        ip = client_ip(request)
        if not ip:
            raise PermissionDenied("Unable to determine the client's address")
        return ip

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        """The ways to confirm that it is still the same person, in our words."""
        words = {
            "reauthenticate": "Use your password",
            "mfa_reauthenticate": "Use a code of your app, or a recovery code",
            "mfa_reauthenticate:webauthn": "Use a passkey",
        }
        methods = super().get_reauthentication_methods(user)
        return [method | {"description": words[method["id"]]} for method in methods]

    def populate_username(self, request: HttpRequest, user: User) -> None:
        """There are no usernames."""


def _ways(request: HttpRequest, user: User) -> list[str]:
    """How a user proved who they are, in order: "password", then "totp", "recovery_codes" or "webauthn"."""
    return [
        str(record.get("type") or record["method"]) for record in get_authentication_records(request, user)
    ]

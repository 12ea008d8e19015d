"""django-allauth's hooks. ``login`` is the one place where a session begins, whatever way led there."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core.request_id import current_request_id
from apps.tenants.access import user_actor
from apps.tenants.entrance import client_ip
from apps.tenants.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Sign-in by e-mail; sign-ins and refused ones are audited."""

    def login(self, request: HttpRequest, user: User) -> None:
        """Begin a session for an active user. Raises PermissionDenied for another."""
        if not user.is_active:
            raise PermissionDenied
        super().login(request, user)
        actor = user_actor(user, ip=client_ip(request), request_id=current_request_id())
        audit.record(actor=actor, action="session.started", target=user, organization_id=None)

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

    def populate_username(self, request: HttpRequest, user: User) -> None:
        """There are no usernames."""

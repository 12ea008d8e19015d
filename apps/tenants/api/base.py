"""Base of every API view: one way in, and the answer is rendered inside the scope.

A caller is an API key (``Authorization: Bearer psk_…``) or our own pages' session, which names its project
in ``Promptsaas-Project`` and sends the CSRF token. ``permissions`` names a right for each HTTP method; a
class that forgets one can't be imported. An error takes back everything the handler wrote.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Final, cast

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.audit.services import record_refused
from apps.core import errors, idempotency, ids, rate_limits
from apps.core.request_id import current_request_id
from apps.core.scope import organization_scope
from apps.tenants.access import Access, authenticate_key, open_session_for_project
from apps.tenants.entrance import check_permissions, client_ip, refusal_reason
from apps.tenants.models import Organization, Project, User

PROJECT_HEADER: Final = "Promptsaas-Project"
FAILED_KEYS_PER_MINUTE: Final = 60


class ProjectAPIView(APIView):
    """An API view of one project.

    ``scoped = False`` leaves opening the scope to the handler (``with self.scope():``), for views that call
    the network in between; such a view handles ``Idempotency-Key`` itself.
    """

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    permissions: ClassVar[Mapping[str, str]] = {}
    scoped: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True

    access: Access

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not abstract:
            check_permissions(cls, cls.permissions)

    @property
    def organization(self) -> Organization:
        return self.access.organization

    @property
    def project(self) -> Project:
        if self.access.project is None:
            raise RuntimeError("an API access always has a project")
        return self.access.project

    def allowed(self, permission: str) -> bool:
        """Whether the caller may come in. Asked outside the scope; views of one object widen it by grants."""
        return self.access.can(permission)

    def scope(self) -> AbstractContextManager[None]:
        """The organization's scope: one transaction."""
        return organization_scope(self.access.organization.id)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """DRF's dispatch, with the access decided first and the scope round handler and rendering."""
        self.args, self.kwargs = args, kwargs
        self.headers = self.default_response_headers
        self.request = self.initialize_request(request, *args, **kwargs)
        try:
            self.initial(self.request, *args, **kwargs)
        except Exception as problem:
            return self._finished(self.handle_exception(problem))
        if not self.scoped:
            return self._handled()
        with self.scope():
            return self._handled()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Negotiate, authenticate, limit the rate, check the permission; in that order."""
        self.format_kwarg = self.get_format_suffix(**kwargs)
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)
        self.access = self._authenticate(request)
        self._limit(str(self.access.api_key_id or self.access.actor.id))
        permission = self.permissions.get("GET" if request.method == "HEAD" else request.method or "")
        if permission is not None and not self.allowed(permission):
            self._refuse(permission)

    def _handled(self) -> HttpResponseBase:
        claim: idempotency.Claim | None = None
        try:
            claimed = self._claimed()
            if isinstance(claimed, idempotency.StoredAnswer):
                return self._finished(_replayed(claimed))
            claim = claimed
            response = self._called()
        except Exception as problem:
            response = self.handle_exception(problem)
        finished = self._finished(response)
        if self.scoped and finished.status_code >= 400:
            transaction.set_rollback(True)
        elif claim is not None and isinstance(finished, HttpResponse):
            idempotency.complete(claim, status=finished.status_code, body=finished.content)
        return finished

    def _claimed(self) -> idempotency.Claim | idempotency.StoredAnswer | None:
        key = self.request.headers.get(idempotency.HEADER)
        if key is None or self.request.method != "POST" or not self.scoped:
            return None
        caller = self.access.api_key_id or self.access.actor.id
        return idempotency.claim(
            organization_id=self.organization.id,
            owner=f"{self.project.id.hex}{caller.hex if caller else ''}",
            key=key,
            fingerprint=idempotency.request_fingerprint(self.request._request),
        )

    def _called(self) -> HttpResponseBase:
        method = (self.request.method or "").lower()
        handler = getattr(self, method, None) if method in self.http_method_names else None
        if handler is None:
            return self.http_method_not_allowed(self.request, *self.args, **self.kwargs)
        response: HttpResponseBase = handler(self.request, *self.args, **self.kwargs)
        return response

    def _finished(self, response: HttpResponseBase) -> HttpResponseBase:
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = 'Bearer realm="promptsaas"'
        finished = self.finalize_response(self.request, cast(Response, response), *self.args, **self.kwargs)
        if isinstance(finished, Response):
            finished.render()
        return finished

    def _authenticate(self, request: Request) -> Access:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme:
            return self._by_key(scheme, token.strip())
        user = request._request.user
        if isinstance(user, User):
            return self._by_session(request, user)
        raise errors.AuthenticationFailed(
            "Send an API key: Authorization: Bearer psk_live_…", code="api_key_missing"
        )

    def _by_key(self, scheme: str, token: str) -> Access:
        if scheme.lower() != "bearer":
            raise errors.AuthenticationFailed("Send the API key as a Bearer token.", code="api_key_missing")
        ip = client_ip(self.request._request)
        try:
            return authenticate_key(token, ip=ip, request_id=current_request_id())
        except (errors.AuthenticationFailed, errors.PermissionDenied):
            # Guessing is slowed down before the next look-up; a good key at the same address isn't.
            rate_limits.check("api_failed", ip or "unknown", FAILED_KEYS_PER_MINUTE, 60).enforce()
            raise

    def _by_session(self, request: Request, user: User) -> Access:
        _check_csrf(request._request)
        try:
            project_id = ids.decode(Project.PREFIX, request.headers.get(PROJECT_HEADER, ""))
        except ValueError:
            raise errors.InvalidRequest(
                f"A session names its project in the header {PROJECT_HEADER}.", param=PROJECT_HEADER
            ) from None
        ip = client_ip(request._request)
        return open_session_for_project(user, project_id=project_id, ip=ip, request_id=current_request_id())

    def _limit(self, caller: str) -> None:
        decision = rate_limits.check("api", caller, settings.API_REQUESTS_PER_MINUTE, 60)
        self.headers |= decision.headers()
        decision.enforce()

    def _refuse(self, permission: str) -> None:
        record_refused(
            actor=self.access.actor,
            action="access.refused",
            target=self.access.project,
            organization_id=self.access.organization.id,
            reason=refusal_reason(permission, self.request._request),
        )
        who = "This API key" if self.access.api_key_id else "Your role"
        raise errors.PermissionDenied(
            f"{who} doesn't have the permission {permission}.",
            code="permission_missing",
            permission=permission,
        )


def _replayed(answer: idempotency.StoredAnswer) -> HttpResponse:
    return HttpResponse(
        answer.body,
        status=answer.status,
        content_type="application/json",
        headers={idempotency.REPLAYED_HEADER: "true"},
    )


def _check_csrf(request: HttpRequest) -> None:
    """DRF exempts its views from Django's check, so it is made here. Raises PermissionDenied."""
    check = CsrfViewMiddleware(lambda _: Response())
    check.process_request(request)
    # The view argument is looked at for the exemption mark only.
    if check.process_view(request, _unexempted, (), {}) is not None:
        raise errors.PermissionDenied("The CSRF token is missing or wrong.", code="csrf_failed")


def _unexempted(request: HttpRequest) -> Response:
    return Response()

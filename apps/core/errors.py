"""The errors that services raise, and the one JSON shape that every entrance answers with.

The shape is a superset of OpenAI's (``error.message/type/param/code``) and follows Stripe's names.
"""

from typing import Any, ClassVar

from django.conf import settings


class PromptsaasError(Exception):
    """Something a caller can be told. ``status`` is the HTTP status, ``type`` the error family."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "api_error"
    default_code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.param = param
        self.retry_after = retry_after
        self.extra = extra

    def body(self, request_id: str | None) -> dict[str, Any]:
        """The JSON answer, in the one shape of every entrance."""
        error = {
            "type": self.type,
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "doc_url": f"{settings.PUBLIC_URL}/docs/errors#{self.code}",
            "request_id": request_id,
        }
        return {"error": error | self.extra}

    def headers(self) -> dict[str, str]:
        """HTTP headers that go with the answer: Retry-After in whole seconds, rounded up."""
        if self.retry_after is None:
            return {}
        return {"Retry-After": str(max(1, -int(-self.retry_after // 1)))}


class InvalidRequest(PromptsaasError):
    status = 400
    type = "invalid_request_error"
    default_code = "invalid_request"


class AuthenticationFailed(PromptsaasError):
    status = 401
    type = "authentication_error"
    default_code = "authentication_failed"


class PermissionDenied(PromptsaasError):
    status = 403
    type = "permission_error"
    default_code = "permission_denied"


class NotFound(PromptsaasError):
    status = 404
    type = "not_found_error"
    default_code = "not_found"


class Conflict(PromptsaasError):
    status = 409
    type = "conflict_error"
    default_code = "conflict"


class IdempotencyMismatch(PromptsaasError):
    status = 409
    type = "idempotency_error"
    default_code = "idempotency_key_reused"


class RateLimited(PromptsaasError):
    status = 429
    type = "rate_limit_error"
    default_code = "rate_limited"


class QuotaExceeded(PromptsaasError):
    status = 429
    type = "quota_error"
    default_code = "quota_exceeded"


class ProviderFailure(PromptsaasError):
    status = 502
    type = "provider_error"
    default_code = "provider_failed"


class Unavailable(PromptsaasError):
    status = 503
    type = "api_error"
    default_code = "unavailable"

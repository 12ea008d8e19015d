"""From any exception to an error that a caller can be told."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.core import exceptions as django_exceptions
from django.db import DataError, InterfaceError, OperationalError
from django.db import InternalError as DatabaseInternalError
from django.http import Http404
from redis.exceptions import RedisError
from rest_framework import exceptions as drf_exceptions

from apps.core import errors
from apps.core.logs import get_logger

RETRY_SECONDS: Final = 2
# idle_in_transaction_session_timeout, transaction_timeout
_CUT_OFF: Final = ("25P03", "25P04")
_NON_FIELD: Final = "non_field_errors"
# What psycopg says of a text that Postgres can't take.
_NUL_PROBLEM: Final = "cannot contain NUL"

logger = get_logger(__name__)


class MethodNotAllowed(errors.InvalidRequest):
    """The address exists, but not for this method."""

    status = 405
    default_code = "method_not_allowed"


class NotAcceptable(errors.InvalidRequest):
    """None of the accepted content types can be answered."""

    status = 406
    default_code = "not_acceptable"


class UnsupportedMediaType(errors.InvalidRequest):
    """The body's content type can't be read."""

    status = 415
    default_code = "unsupported_media_type"


class InternalError(errors.PromptsaasError):
    """A defect of ours. Nothing of the exception is told."""


_SIMPLE: Final[tuple[tuple[type[Exception], type[errors.PromptsaasError], str], ...]] = (
    (drf_exceptions.ParseError, errors.InvalidRequest, "The body could not be read."),
    (drf_exceptions.NotAuthenticated, errors.AuthenticationFailed, "Send an API key, or sign in."),
    (drf_exceptions.AuthenticationFailed, errors.AuthenticationFailed, "The credentials are not valid."),
    (drf_exceptions.PermissionDenied, errors.PermissionDenied, "You may not do this."),
    (django_exceptions.PermissionDenied, errors.PermissionDenied, "You may not do this."),
    (drf_exceptions.NotFound, errors.NotFound, "There is nothing at this address."),
    (Http404, errors.NotFound, "There is nothing at this address."),
    (django_exceptions.ObjectDoesNotExist, errors.NotFound, "There is no such object."),
    (drf_exceptions.MethodNotAllowed, MethodNotAllowed, "This address does not answer to that method."),
    (drf_exceptions.NotAcceptable, NotAcceptable, "Only application/json can be answered."),
    (drf_exceptions.UnsupportedMediaType, UnsupportedMediaType, "Send the body in a supported type."),
    (django_exceptions.RequestDataTooBig, errors.InvalidRequest, "The body is too large."),
    (django_exceptions.SuspiciousOperation, errors.InvalidRequest, "The request is not valid."),
)

# What Django REST framework calls what is wrong with a field, and what we do.
FIELD_CODES: Final = {
    "required": "parameter_missing",
    "null": "parameter_missing",
    "blank": "parameter_missing",
    "empty": "parameter_missing",
    "invalid_choice": "parameter_invalid_choice",
    "max_length": "parameter_max_length",
    "min_length": "parameter_min_length",
    "max_value": "parameter_max_value",
    "min_value": "parameter_min_value",
}


def to_error(exception: Exception, *, log: bool = True) -> errors.PromptsaasError:
    """The error that stands for an exception; a defect is logged with its trace and told as a bare 500."""
    if isinstance(exception, errors.PromptsaasError):
        return exception
    found = _from_validation(exception) or _from_outage(exception) or _from_known(exception)
    if found is not None:
        return found
    if log:
        logger.error("request.failed", exc_info=exception)
    return InternalError("Something went wrong on our side.")


def _from_validation(exception: Exception) -> errors.PromptsaasError | None:
    if isinstance(exception, drf_exceptions.ValidationError):
        return _from_fields(exception.get_full_details())
    if isinstance(exception, django_exceptions.ValidationError):
        return _from_django_validation(exception)
    # Addresses are checked on arrival; the fields of a form that are looked up as they were typed are not.
    if isinstance(exception, DataError) and _NUL_PROBLEM in str(exception):
        return errors.InvalidRequest("A field holds a NUL character.", code="invalid_character")
    return None


def _from_outage(exception: Exception) -> errors.PromptsaasError | None:
    if isinstance(exception, drf_exceptions.Throttled):
        return errors.RateLimited("Too many requests.", retry_after=getattr(exception, "wait", None) or 1)
    # Redis raises where its absence may not be passed over: sign-in limits fail closed.
    if isinstance(exception, OperationalError | InterfaceError | RedisError) or _was_cut_off(exception):
        logger.warning("service.unavailable", exc_info=exception)
        return errors.Unavailable("The service is busy; try again.", retry_after=RETRY_SECONDS)
    return None


def _was_cut_off(exception: Exception) -> bool:
    """Whether Postgres ended the session because we, on a busy machine, let a transaction wait too long."""
    cause = exception.__cause__
    return isinstance(exception, DatabaseInternalError) and getattr(cause, "sqlstate", None) in _CUT_OFF


def _from_known(exception: Exception) -> errors.PromptsaasError | None:
    for kind, error, message in _SIMPLE:
        if isinstance(exception, kind):
            return error(message)
    return None


def _from_fields(details: Any) -> errors.InvalidRequest:
    found = [
        {"param": path or None, "code": _code(detail["code"]), "message": str(detail["message"])}
        for path, detail in _flatten(details, "")
    ]
    first = found[0] if found else {"param": None, "code": "invalid_request", "message": "Not valid."}
    message = first["message"] if first["param"] is None else f"{first['param']}: {first['message']}"
    return errors.InvalidRequest(str(message), code=first["code"], param=first["param"], errors=found)


def _flatten(details: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every leaf `{"message", "code"}` with its dotted path, such as `variables.0.name`."""
    if isinstance(details, Mapping) and set(details) == {"message", "code"} and _is_leaf(details):
        yield path, details
    elif isinstance(details, Mapping):
        for name, value in details.items():
            yield from _flatten(value, path if name == _NON_FIELD else _join(path, str(name)))
    elif isinstance(details, list):
        for index, value in enumerate(details):
            leaf = isinstance(value, Mapping) and _is_leaf(value)
            yield from _flatten(value, path if leaf else _join(path, str(index)))


def _is_leaf(details: Mapping[str, Any]) -> bool:
    return isinstance(details.get("message"), str) and isinstance(details.get("code"), str)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _code(code: str) -> str:
    return FIELD_CODES.get(code, "parameter_invalid")


def _from_django_validation(exception: django_exceptions.ValidationError) -> errors.InvalidRequest:
    if hasattr(exception, "error_dict"):
        field, messages = next(iter(exception.message_dict.items()))
        return errors.InvalidRequest(
            messages[0], code="parameter_invalid", param=None if field == "__all__" else field
        )
    return errors.InvalidRequest(exception.messages[0], code="parameter_invalid")

"""JSON types as the API's document names them: "yes" is no boolean and 5 no text, as they are in forms."""

from typing import Any

from rest_framework import serializers

from apps.core.errors import InvalidRequest

_WORDS = {str: "text", bool: "true or false", int: "a whole number", dict: "an object", list: "a list"}


def check_types(serializer: serializers.Serializer[Any], data: Any, path: str = "") -> None:
    """Raise InvalidRequest for the first value of a body that has another JSON type than its field.

    Missing, unknown and null values are the serializer's own business, and so is what a type may hold.
    """
    if not isinstance(data, dict):
        return
    for name, field in serializer.fields.items():
        if name in data and not field.read_only:
            _check(field, data[name], f"{path}{name}")


def _check(field: Any, value: Any, path: str) -> None:
    if value is None:
        return
    wanted = _wanted(field)
    if wanted is not None and not _is(value, wanted):
        raise InvalidRequest(f"{path} must be {_WORDS[wanted]}.", code="parameter_invalid", param=path)
    if isinstance(field, serializers.ListSerializer | serializers.ListField):
        for number, each in enumerate(value):
            _check(field.child, each, f"{path}.{number}")
    elif isinstance(field, serializers.DictField):
        for name, each in value.items():
            _check(field.child, each, f"{path}.{name}")
    elif isinstance(field, serializers.Serializer):
        check_types(field, value, f"{path}.")


def _is(value: Any, wanted: type) -> bool:
    if wanted is int:
        # JSON knows one kind of number: 5.0 is whole.
        return not isinstance(value, bool) and (isinstance(value, int) or _is_whole(value))
    return isinstance(value, wanted)


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def _wanted(field: Any) -> type | None:
    """The Python type of a field's JSON values; None where the field itself is strict, or takes anything."""
    if isinstance(field, serializers.ListSerializer | serializers.ListField):
        return list
    if isinstance(field, serializers.Serializer | serializers.DictField):
        return dict
    if isinstance(field, serializers.BooleanField):
        return bool
    if isinstance(field, serializers.IntegerField):
        return int
    return str if isinstance(field, serializers.CharField | serializers.DateTimeField) else None

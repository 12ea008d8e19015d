"""JSON types of bodies."""

from typing import Any

import pytest
from rest_framework import serializers

from apps.core.api import validated
from apps.core.errors import InvalidRequest


class PartSerializer(serializers.Serializer[Any]):
    size = serializers.IntegerField()


class ThingSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(required=False, allow_null=True)
    good = serializers.BooleanField(required=False)
    part = PartSerializer(required=False)
    parts = PartSerializer(many=True, required=False)
    words = serializers.ListField(child=serializers.CharField(), required=False)
    table = serializers.DictField(child=serializers.CharField(), required=False)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": 5}, "name"),
        ({"name": True}, "name"),
        ({"good": "yes"}, "good"),
        ({"good": 1}, "good"),
        ({"part": {"size": "5"}}, "part.size"),
        ({"part": {"size": True}}, "part.size"),
        ({"part": []}, "part"),
        ({"parts": {}}, "parts"),
        ({"parts": [{"size": 1}, {"size": 1.5}]}, "parts.1.size"),
        ({"words": "one"}, "words"),
        ({"words": ["one", 2]}, "words.1"),
        ({"table": {"a": 1}}, "table.a"),
    ],
)
def test_body__value_of_another_type__is_refused_by_its_place(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        validated(ThingSerializer(data=body))
    assert refused.value.param == param


def test_body__values_of_their_types__pass() -> None:
    body = {
        "name": None,
        "good": False,
        "part": {"size": 1},
        "parts": [],
        "words": ["a"],
        "table": {"a": "b"},
    }
    assert validated(ThingSerializer(data=body))["part"] == {"size": 1}

"""Every field that can hold words stands in the table of what erasure does with it."""

from collections import Counter

import pytest

from apps.retention.inventory import Treatment, covered_models, text_fields
from apps.retention.inventory_table import EVERY_KIND, PARTS, parts_of, what_goes, what_stays

MODELS = {model._meta.label: model for model in covered_models()}


@pytest.mark.parametrize("label", sorted(MODELS))
def test_model__every_text_json_and_binary_field__is_in_the_table(label: str) -> None:
    named = {field for part in parts_of(label) for field in part.fields}
    missing = sorted(text_fields(MODELS[label]) - named)
    assert not missing, f"say in apps/retention/inventory_table.py what erasure does with {label}: {missing}"
    assert named <= {field.name for field in MODELS[label]._meta.get_fields()}, "a field that doesn't exist"


def test_table__each_field__stands_once_and_in_a_model_that_exists() -> None:
    named = Counter((part.model, field) for part in PARTS for field in part.fields)
    assert {part.model for part in PARTS} <= set(MODELS)
    assert [key for key, count in named.items() if count > 1] == []


def test_table__what_stays__says_why_and_until_when() -> None:
    for kind in EVERY_KIND:
        assert what_goes(kind)
        for line in what_stays(kind):
            assert line.rule.treatment is Treatment.STAYS
            assert line.rule.reason.endswith(".")
            assert line.rule.until

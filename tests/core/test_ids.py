import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core import ids


@given(st.uuids())
def test_encode__any_uuid__decodes_to_itself(value: object) -> None:
    text = ids.encode("run", value)  # type: ignore[arg-type]
    assert len(text) == len("run_") + ids.LENGTH
    assert ids.decode("run", text) == value


def test_uuid7__two_in_a_row__has_version_and_sorts_by_time() -> None:
    first, second = ids.uuid7(), ids.uuid7()
    assert (first.version, second.version) == (7, 7)
    assert first.int >> 80 <= second.int >> 80
    assert ids.encode("run", first)[:13] <= ids.encode("run", second)[:13]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "run_",
        "prm_" + "0" * 26,
        "run_" + "0" * 25,
        "run_" + "0" * 27,
        "run_8" + "0" * 25,
        "run_" + "u" * 26,
        "run0" * 8,
    ],
)
def test_decode__malformed__is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a run_ id"):
        ids.decode("run", text)


def test_encode__unregistered_prefix__is_refused() -> None:
    with pytest.raises(KeyError):
        ids.encode("xyz", ids.uuid7())

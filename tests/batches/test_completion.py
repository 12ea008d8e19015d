"""What a finished run leaves in its row."""

from decimal import Decimal

import orjson
import pytest

from apps.batches.claims import Claim
from apps.batches.completion import OUTPUT_CHARACTERS, Outcome, parameters
from apps.core.ids import uuid7


@pytest.mark.parametrize(("shortened", "kept"), [(True, OUTPUT_CHARACTERS), (False, OUTPUT_CHARACTERS + 1)])
def test_parameters__of_a_long_answer__are_cut_only_where_the_run_has_the_whole(
    shortened: bool, kept: int
) -> None:
    claim = Claim(uuid7(), uuid7(), uuid7(), uuid7(), 1, 0, 1, 1, Decimal(0), {}, None, "")
    long = Outcome(claim, "succeeded", output="x" * (OUTPUT_CHARACTERS + 1), shortened=shortened)
    found = orjson.loads(parameters([long])["rows"])[0]
    assert (len(found["output"]), found["output_truncated"]) == (kept, shortened)

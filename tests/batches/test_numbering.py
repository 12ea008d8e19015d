"""Which row and which variant a number stands for."""

import pytest

from apps.batches.numbering import Place, place


@pytest.mark.parametrize(
    ("number", "found"),
    [(1, Place(1, 0)), (2, Place(1, 1)), (6, Place(3, 1)), (7, Place(1, 0)), (12, Place(3, 1))],
)
def test_place__two_variants_of_three_rows__go_row_by_row_and_round_again(number: int, found: Place) -> None:
    assert place(number, variants=2, rows=3) == found

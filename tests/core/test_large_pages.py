import sys

import pytest

from apps.core.large_pages import PAGE, lay_on_large_pages


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
def test_lay_on_large_pages__large_memory__keeps_what_is_in_it() -> None:
    kept = bytearray(b"promptsaas" * PAGE)
    moved = lay_on_large_pages()
    assert moved % PAGE == 0
    assert kept == b"promptsaas" * PAGE


def test_lay_on_large_pages__without_the_kernels_table__does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Absent:
        def read_text(self) -> str:
            raise FileNotFoundError

    monkeypatch.setattr("apps.core.large_pages._MAPS", Absent())
    assert lay_on_large_pages() == 0

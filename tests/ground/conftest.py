from pathlib import Path

import pytest

from tests.support.folders import let_in


@pytest.fixture
def open_path(tmp_path: Path) -> Path:
    """`tmp_path` that the account of the embedded servers can enter."""
    return let_in(tmp_path)

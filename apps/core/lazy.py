"""The one place that imports late: openai (0.3 s), anthropic (0.7 s), scipy (0.8 s) and pyarrow (70 MB).
They load at first use.
"""

import importlib
from types import ModuleType
from typing import Final

LAZY_MODULES: Final = frozenset({"anthropic", "openai", "pyarrow", "pyarrow.parquet", "scipy.stats"})


def load(name: str) -> ModuleType:
    """Import a heavy module at its first use. Raises ValueError for a module not on the list."""
    if name not in LAZY_MODULES:
        raise ValueError(f"{name} is not a lazily loaded module")
    return importlib.import_module(name)

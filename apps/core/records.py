"""Dataclasses that are made for each run: frozen where the types are checked, plain where they run.

A frozen dataclass with slots sets each field through `object.__setattr__`, which costs four times as much as
setting it; a run makes a hundred fields. mypy holds everybody to the promise instead.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:
    from dataclasses import dataclass

    def record(*, frozen: bool = True, slots: bool = True) -> Any:
        """`dataclass(frozen=True, slots=True)` for mypy; the same without the guard when it runs."""
        return dataclass(slots=slots, unsafe_hash=frozen)


__all__ = ["record"]

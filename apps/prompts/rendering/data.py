"""Values as a template sees them: plain JSON data behind two small read-only faces, and the work meter.

The template engine falls back to Python attributes (``x.items`` on a dict gives a bound method with a
memory address), and a comparison of two large values costs it one step. The faces have no attributes
of their own and charge every look to the meter.
"""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import orjson

_LARGEST_INTEGER: Final = 2**63 - 1
MAX_LOOKS: Final = 300_000
MAX_FILTERED_CHARACTERS: Final = 20_000_000


class RenderLimit(Exception):
    """A bound of rendering was reached. ``code`` is the public error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Meter:
    """What one rendering has used: characters put out, looks into data, characters filtered."""

    __slots__ = ("exceeded", "filtered", "looks", "mark", "output", "output_cap")

    def __init__(self, output_cap: int, mark: Callable[[str], str] | None = None) -> None:
        self.output_cap = output_cap
        self.mark = mark
        self.output = 0
        self.looks = 0
        self.filtered = 0
        self.exceeded: RenderLimit | None = None

    def count_output(self, characters: int) -> None:
        self.output += characters
        if self.output > self.output_cap:
            self._exceed(too_large(self.output_cap))

    def count_looks(self, number: int) -> None:
        self.looks += number
        if self.looks > MAX_LOOKS:
            self._exceed(too_expensive())

    def count_filtered(self, characters: int) -> None:
        self.filtered += characters + 1
        if self.filtered > MAX_FILTERED_CHARACTERS:
            self._exceed(too_expensive())

    def _exceed(self, limit: RenderLimit) -> None:
        # The engine swallows exceptions of a look, so the verdict is also kept here.
        self.exceeded = limit
        raise limit


def too_expensive() -> RenderLimit:
    return RenderLimit("template_too_expensive", "The template does too much work with these values.")


def too_large(cap: int) -> RenderLimit:
    return RenderLimit("rendered_too_large", f"The rendered messages exceed {cap:,} characters.")


class _Current(threading.local):
    meter: Meter = Meter(0)


_current: Final = _Current()


def current_meter() -> Meter:
    """The meter of the rendering that runs in this thread."""
    return _current.meter


def set_meter(meter: Meter) -> Meter:
    """Install a meter for this thread; returns the one before."""
    before = _current.meter
    _current.meter = meter
    return before


class DataMap:
    """A JSON object. ``items`` is None because the engine asks for the name to tell maps from lists."""

    __slots__ = ("_data",)
    items = None

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def __getitem__(self, key: object) -> Any:
        current_meter().count_looks(1)
        return face(self._data[key])  # type: ignore[index]

    def __iter__(self) -> Iterator[str]:
        current_meter().count_looks(len(self._data))
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)


class DataList:
    """A JSON array."""

    __slots__ = ("_data",)

    def __init__(self, data: list[Any]) -> None:
        self._data = data

    def __getitem__(self, index: int) -> Any:
        current_meter().count_looks(1)
        return face(self._data[index])

    def __len__(self) -> int:
        return len(self._data)


Sequence.register(DataList)


def face(value: Any) -> Any:
    """What the engine may hold instead of a JSON value."""
    if isinstance(value, dict):
        return DataMap(value)
    if isinstance(value, list):
        return DataList(value)
    if isinstance(value, int) and not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
        return str(value)
    return value


def unface(value: Any) -> Any:
    """The JSON value behind a face, or the value itself."""
    return value._data if isinstance(value, DataMap | DataList) else value


def as_text(value: Any) -> str:
    """How a value reads in a prompt: text as it is, nothing for none, JSON for everything else."""
    plain = unface(value)
    if isinstance(plain, str):
        return plain
    if plain is None:
        return ""
    return as_json(plain)


def as_json(value: Any) -> str:
    """Compact JSON; integers beyond 64 bits stay exact."""
    try:
        return orjson.dumps(unface(value)).decode()
    except orjson.JSONEncodeError:
        return json.dumps(unface(value), ensure_ascii=False, separators=(",", ":"))

"""Names in which `*` stands for any text, in linear time."""

from typing import Final

ANY: Final = "*"
MOST_STARS: Final = 4


def is_pattern(text: str) -> bool:
    """Whether a name stands for more than itself."""
    return ANY in text


def matches(pattern: str, name: str) -> bool:
    """Whether the pattern stands for the whole name."""
    first, *rest = pattern.split(ANY)
    if not rest:
        return pattern == name
    last = rest.pop()
    if not name.startswith(first) or len(name) < len(first) + len(last) or not name.endswith(last):
        return False
    position, end = len(first), len(name) - len(last)
    for part in rest:
        found = name.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def exactness(pattern: str) -> tuple[bool, int]:
    """How closely a pattern names what it matches; the larger wins."""
    return not is_pattern(pattern), len(pattern) - pattern.count(ANY)

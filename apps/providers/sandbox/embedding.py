"""Vectors without a model: texts that share words and pieces of words lie close together. Pure.

Words and their pieces of three to five letters are hashed to signed dimensions (the hashing trick), so equal
texts are equal, typing errors change little, and a paraphrase in other words is not recognised.
"""

import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

MODEL: Final = "embedding"
DIMENSIONS: Final = 256
MOST_DIMENSIONS: Final = 4_096
LONGEST_TEXT: Final = 100_000
WORD_WEIGHT: Final = 2.0
INPUT_PRICE: Final = Decimal("0.02")
"""Made up, as all of the sandbox's prices: dollars for a million tokens."""
_WORD: Final = re.compile(r"\w+")


def embed(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """The vector of a text, of length 1; an empty text's points along the first dimension."""
    found = [0.0] * dimensions
    for feature, count in Counter(_features(text[:LONGEST_TEXT].lower())).items():
        number = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
        weight = math.sqrt(count) * (WORD_WEIGHT if feature.startswith("=") else 1.0)
        found[(number >> 1) % dimensions] += weight if number & 1 else -weight
    length = math.sqrt(sum(value * value for value in found))
    if not length:
        return [1.0, *found[1:]]
    return [value / length for value in found]


def _features(text: str) -> Iterator[str]:
    for word in _WORD.findall(text):
        yield f"={word}"
        framed = f"<{word}>"
        for size in (3, 4, 5):
            for start in range(len(framed) - size + 1):
                yield framed[start : start + size]

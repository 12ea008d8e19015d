"""CSV cells that a spreadsheet program does not take for a formula.

Source of the rule: OWASP, CSV Injection; ASVS 5.0, 1.2.10.
"""

import re
from typing import Final

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
_PLAIN_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,30}([.][0-9]{1,30})?")


def safe_cell(value: object) -> object:
    """The value for a CSV cell: text that begins like a formula gets an apostrophe in front, numbers stay."""
    if not isinstance(value, str) or not value.startswith(_FORMULA_STARTS):
        return value
    if _PLAIN_NUMBER.fullmatch(value) is None:
        return f"'{value}"
    return value

"""Numbers out of the texts of an address or a form. Free of Django."""


def whole_number(text: str) -> int | None:
    """The number that one to nine digits spell; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None

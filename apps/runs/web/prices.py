"""Where a run's price is from, in words: every entry of a price list that its calls were priced by. Pure."""

from collections.abc import Mapping
from typing import Any

from apps.runs.models import Run

Lines = list[tuple[str, str]]


def price_entries(run: Run) -> list[Lines]:
    """The prices as they were fixed with the run, each entry once; first why all is unknown, if it is."""
    snapshot = run.price_snapshot
    parts = snapshot.get("parts") or [snapshot]
    entries = (
        [[("Why unknown", str(snapshot["reason"]))]] if snapshot.get("reason") and len(parts) > 1 else []
    )
    for part in parts:
        lines = _entry(part)
        if lines and lines not in entries:
            entries.append(lines)
    return entries


def _entry(snapshot: Mapping[str, Any]) -> Lines:
    lines = [("Price list", str(snapshot["source"]))] if snapshot.get("source") else []
    if snapshot.get("price_id"):
        lines.append(("Entry", str(snapshot["price_id"])))
    if snapshot.get("reason"):
        lines.append(("Why unknown", str(snapshot["reason"])))
    rates = snapshot.get("usd_per_million_tokens") or {}
    words = {name: name.replace("_", " ").capitalize() for name in rates}
    return lines + [(words[name], f"${rate} a million tokens") for name, rate in rates.items()]

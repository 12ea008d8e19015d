"""Lines of a comparison: printed, and written to `bench/results/latest.json`."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "results" / "latest.json"


@dataclass(frozen=True)
class Line:
    """One work: ours, beside it the peer's figure, the bar that must hold and the goal.

    `at_least`: more is better; else less. `times` is how many times the peer's figure ours must reach.
    """

    work: str
    ours: float
    unit: str
    bar: float
    goal: float
    at_least: bool = True
    peer: str = ""
    peer_value: float | None = None
    times: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's."""
        return self.ours / self.peer_value if self.peer_value else None

    @property
    def holds(self) -> bool:
        """Whether the bar is reached, and the multiple of the peer where one is measured."""
        reached = self.ours >= self.bar if self.at_least else self.ours <= self.bar
        return reached and (self.times is None or self.ratio is None or self.ratio >= self.times)

    def as_json(self) -> dict[str, object]:
        """As written to the file."""
        told = asdict(self)
        kept = {name: told[name] for name in ("work", "ours", "unit", "peer", "peer_value", "bar", "goal")}
        return kept | {"ratio": self.ratio, "times": self.times, "holds": self.holds}


def print_lines(lines: Sequence[Line]) -> None:
    """A table in Markdown, so that it can be copied into the documentation."""
    print("| work | ours | unit | bar | goal | peer | its figure | ratio | holds |")
    print("|---|---:|---|---:|---:|---|---:|---:|---|")
    for line in lines:
        sign = "≥" if line.at_least else "≤"
        ratio = f"{line.ratio:,.2f} ×" if line.ratio is not None else ""
        must = f"{sign} {_short(line.bar)}" + (f" and ≥ {line.times:g} ×" if line.times else "")
        print(
            f"| {line.work} | {_short(line.ours)} | {line.unit} | {must} | {_short(line.goal)} | {line.peer} "
            f"| {_short(line.peer_value)} | {ratio} | {'yes' if line.holds else 'NO'} |"
        )


def write_lines(bench: str, lines: Sequence[Line]) -> None:
    """Write a bench's lines to the file, in place of those it had; other benches' stay."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    kept = [line for line in known if line.get("bench", "gateway") != bench]
    told = [{"bench": bench} | line.as_json() for line in lines]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(kept + told, indent=2) + "\n")


def _short(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"

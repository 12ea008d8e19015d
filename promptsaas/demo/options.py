"""What the demo was asked for."""

from dataclasses import dataclass
from pathlib import Path

SAMPLE = Path(__file__).resolve().parent / "sample" / "reviews.csv"
SAMPLE_COLUMN = "review"
SAMPLE_EXPECTED = "sentiment"


class DemoError(Exception):
    """The demo can't go on; the message says what to do."""


@dataclass(frozen=True)
class DemoOptions:
    """The command's arguments; empty means: find out yourself."""

    input_file: str = ""
    column: str = ""
    expected: str = ""
    prompt: str = ""
    model: str = ""
    port: int | None = None
    once: bool = False
    job: bool = True

    @property
    def is_sample(self) -> bool:
        """Whether our own sample is run, whose columns are known."""
        return not self.input_file

    @property
    def path(self) -> Path:
        """The file to run over. Raises DemoError when it can't be read."""
        path = Path(self.input_file).expanduser() if self.input_file else SAMPLE
        if not path.is_file():
            raise DemoError(f"INPUT: there is no file {path}")
        return path

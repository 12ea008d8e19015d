"""What the demo was asked for."""

import argparse
from dataclasses import dataclass
from pathlib import Path

SAMPLE = Path(__file__).resolve().parent / "sample" / "reviews.csv"
SAMPLE_COLUMN = "review"
SAMPLE_EXPECTED = "sentiment"


class DemoError(Exception):
    """The demo can't go on; the message says what to do."""


def add_demo_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `manage.py demo`."""
    parser.add_argument("--input", default="", help="CSV or JSONL file; our own sample without it")
    parser.add_argument("--column", default="", help="the column for the prompt's first variable")
    parser.add_argument("--expected", default="", help="the column of expected answers")
    parser.add_argument("--prompt", default="", help="name or name@label; review-sentiment without it")
    parser.add_argument("--model", default="", help="connection/model instead of the prompt's own")
    parser.add_argument("--port", type=int, default=None, help="8000, or the next free one, without it")
    parser.add_argument("--logs", default="", help="folder for the processes' logs")
    parser.add_argument("--once", action="store_true", help="end after the job with a line of JSON")
    parser.add_argument("--no-job", action="store_true", help="start everything, but run nothing")


@dataclass(frozen=True)
class DemoOptions:
    """The command's arguments; empty means: find out yourself."""

    input_file: str = ""
    column: str = ""
    expected: str = ""
    prompt: str = ""
    model: str = ""
    port: int | None = None
    logs: str = ""
    once: bool = False
    job: bool = True

    @classmethod
    def of(cls, wanted: argparse.Namespace) -> "DemoOptions":
        """From parsed arguments."""
        return cls(
            input_file=wanted.input,
            column=wanted.column,
            expected=wanted.expected,
            prompt=wanted.prompt,
            model=wanted.model,
            port=wanted.port,
            logs=wanted.logs,
            once=wanted.once,
            job=not wanted.no_job,
        )

    def arguments(self) -> list[str]:
        """Back to the arguments, for the process that drives the job."""
        given = {
            "--input": str(self.path) if self.input_file else "",
            "--column": self.column,
            "--expected": self.expected,
            "--prompt": self.prompt,
            "--model": self.model,
        }
        flags = [f"{name}={value}" for name, value in given.items() if value]
        return [*flags, *(["--once"] if self.once else []), *([] if self.job else ["--no-job"])]

    @property
    def is_sample(self) -> bool:
        """Whether our own sample is run, whose columns are known."""
        return not self.input_file

    @property
    def path(self) -> Path:
        """The file to run over. Raises DemoError when there is none."""
        path = Path(self.input_file).expanduser().resolve() if self.input_file else SAMPLE
        if not path.is_file():
            raise DemoError(f"INPUT: there is no file {path}")
        if not path.stat().st_size:
            raise DemoError(f"INPUT: the file {path} is empty")
        return path

"""promptfoo's evaluation of the same cases: the usual way to run a prompt over many rows from a shell.

It lies in a folder of its own beside the gateway's peers (`PEERS_FOLDER`), installed from npm.
"""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Final

from bench.serving.cores import SERVER_CORE, pinned
from bench.serving.ours import SYSTEM, USER, VARIABLES
from bench.serving.peers import folder

VERSION: Final = "0.121.20"
TIMEOUT_SECONDS: Final = 600


def install() -> None:
    """Install what is not there. Raises CalledProcessError."""
    if not _program().exists():
        package = f"promptfoo@{VERSION}"
        subprocess.run(["npm", "install", "-q", "-g", "--prefix", str(_home()), package], check=True)


def evaluate(port: int, cases: int, concurrency: int, place: Path) -> float:
    """Seconds of the wall clock of an evaluation, on the worker's core. Raises RuntimeError if one failed."""
    settings = place / "promptfoo.json"
    settings.write_text(json.dumps(_settings(port, cases)))
    output = place / "promptfoo-results.json"
    options = ["-j", str(concurrency), "--no-cache", "--no-write", "--no-table", "--no-progress-bar"]
    command = [str(_program()), "eval", "-c", str(settings), "-o", str(output), *options]
    environment = os.environ | {
        "PROMPTFOO_DISABLE_TELEMETRY": "1",
        "PROMPTFOO_DISABLE_UPDATE": "1",
        "PROMPTFOO_CONFIG_DIR": str(place / "promptfoo"),
    }
    began = time.monotonic()
    done = subprocess.run(
        pinned(SERVER_CORE, command),
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    seconds = time.monotonic() - began
    if not output.exists():
        raise RuntimeError(f"promptfoo failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    told = json.loads(output.read_text())["results"]["stats"]
    if told["successes"] != cases:
        raise RuntimeError(f"promptfoo answered {told} of {cases}")
    return seconds


def _settings(port: int, cases: int) -> dict[str, object]:
    variables = {name: value for name, value in VARIABLES.items() if name != "name"}
    provider = {
        "id": "openai:chat:gpt-4o-mini",
        "config": {
            "apiBaseUrl": f"http://127.0.0.1:{port}/v1",
            "apiKey": "sk-x",
            "temperature": 0.2,
            "max_tokens": 64,
        },
    }
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]
    return {
        "description": "bench",
        "prompts": [json.dumps(messages)],
        "providers": [provider],
        "tests": [{"vars": {**variables, "name": f"Customer {number}"}} for number in range(1, cases + 1)],
    }


def _home() -> Path:
    return folder() / "promptfoo"


def _program() -> Path:
    return _home() / "bin" / "promptfoo"

"""Run every check and print a table; 1 when a line says FAILED."""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from bench.compatibility import batch_clients, curl_client, python_client
from bench.compatibility.places import MODELS, Place, running_place

NODE_SECONDS = 120


def main() -> int:
    """Python, curl and, where a folder with its client is given, Node."""
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    with running_place() as place:
        failed = _carry_out("python", python_client.checks(place))
        failed += _carry_out("python", batch_clients.python_checks(place))
        failed += _carry_out("curl", curl_client.checks(place))
        failed += _carry_out("curl", batch_clients.curl_checks(place))
        failed += _node(place, folder) if folder else _line("node", "left out: no folder was given", "")
    return 1 if failed else 0


def _carry_out(client: str, checks: Iterable[python_client.Check]) -> int:
    failed = 0
    for name, check in checks:
        try:
            check()
            why = ""
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            why = f"{type(error).__name__}: {str(error)[:300]} ({Path(place.filename).name}:{place.lineno})"
        failed += _line(client, name, why)
    return failed


def _node(place: Place, folder: Path) -> int:
    told = {
        **os.environ,
        "OPENAI_FOLDER": str(folder),
        "GATEWAY_URL": place.url,
        "GATEWAY_TOKEN": place.token,
        "GATEWAY_MODELS": json.dumps([asdict(models) for models in MODELS]),
    }
    script = Path(__file__).with_name("node_client.mjs")
    done = subprocess.run(
        ["node", str(script)], env=told, capture_output=True, text=True, timeout=NODE_SECONDS, check=False
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    failed = sum(_line("node", each["name"], each.get("why", "")) for each in found)
    if done.returncode or not found:
        failed += _line("node", "the script itself", done.stderr[-500:] or "it said nothing")
    return failed


def _line(client: str, name: str, why: str) -> int:
    print(f"{'FAILED' if why else 'ok':7} {client:7} {name}{f': {why}' if why else ''}", flush=True)
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())

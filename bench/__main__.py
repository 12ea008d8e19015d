"""`make bench`: every measurement and chaos script one after the other, or `python -m bench <name>…`."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def main(names: list[str]) -> int:
    """Run each as a module of its own; 1 when one of them failed."""
    there = sorted(
        ".".join(path.relative_to(FOLDER).with_suffix("").parts)
        for path in (*FOLDER.glob("*.py"), *(FOLDER / "chaos").glob("*.py"))
        if path.name != "__main__.py" and 'if __name__ == "__main__"' in path.read_text()
    )
    unknown = set(names) - set(there)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(there)}", file=sys.stderr)
        return 2
    failed = [name for name in names or there if _run(name)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _run(name: str) -> int:
    print(f"── {name}", flush=True)
    return subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=FOLDER.parent, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

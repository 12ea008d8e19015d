"""An archive of a large organization, killed at random moments: `python -m bench.export [runs] [kills]`.

So many runs (100,000 by default) with roll-ups are exported by a process of its own that gets SIGKILL at
random moments of its work (20). Then the archive is fetched in two pieces: every run must stand in it exactly
once.
"""

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from bench.own_database import own_database

ROOT = Path(__file__).resolve().parent.parent
MOST_MEGABYTES = 250
JOB = """
import resource, sys, time, uuid, django; django.setup()
from apps.retention.exports.writing import advance
longest = 0.0
print("at work", flush=True)
while True:
    started = time.monotonic()
    if not advance(uuid.UUID(sys.argv[1])):
        break
    longest = max(longest, time.monotonic() - started)
print(f"{longest:.2f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}")
"""


def main(arguments: list[str]) -> int:
    """Print the figures; 1 if one of them is not as it should be."""
    runs, kills = [*map(int, arguments), 100_000, 20][:2] if len(arguments) < 2 else map(int, arguments[:2])
    with own_database():
        return measure(runs, kills)


def measure(runs: int, kills: int) -> int:
    """Export under kills, then fetch and compare."""
    from apps.audit.actor import SYSTEM  # noqa: PLC0415
    from apps.core.scope import organization_scope  # noqa: PLC0415
    from apps.retention import services  # noqa: PLC0415
    from apps.retention.models import OrganizationExport  # noqa: PLC0415
    from bench.history import make_cast, roll_up, write_history  # noqa: PLC0415
    from tests.factories import make_project  # noqa: PLC0415

    project = make_project()
    write_history(make_cast(project), rows=runs)
    roll_up()
    with organization_scope(project.organization_id):
        export_id = services.request_export(actor=SYSTEM, organization=project.organization).pk
    started = time.monotonic()
    for _ in range(kills):
        job = _start(str(export_id))
        time.sleep(random.random() * 2)
        job.kill()
        job.communicate()
    longest, memory = _start(str(export_id)).communicate()[0].split()
    seconds = time.monotonic() - started
    print(f"made in {seconds:.0f} s with {kills} kills; longest part {longest} s, {memory} MB of memory")
    with organization_scope(project.organization_id):
        export = OrganizationExport.objects.get(pk=export_id)
    return _compare(export, runs) | int(int(memory) > MOST_MEGABYTES)


def _start(export_id: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PROMPTSAAS_PROCESS": "worker", "LOG_LEVEL": "WARNING"}
    command = [sys.executable, "-c", JOB, export_id]
    job = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    # Django is loaded: from here on it works.
    job.stdout.readline()
    return job


def _compare(export: object, runs: int) -> int:
    from apps.core.scope import organization_scope  # noqa: PLC0415
    from apps.retention.exports.downloading import archive_of  # noqa: PLC0415
    from apps.retention.models import OrganizationExport  # noqa: PLC0415

    assert isinstance(export, OrganizationExport)
    with organization_scope(export.organization_id):
        archive = archive_of(export)
    started = time.monotonic()
    with tempfile.TemporaryFile() as file:
        for start, end in ((0, archive.size // 3), (archive.size // 3, archive.size)):
            for chunk in archive.read(start, end):
                file.write(chunk)
        seconds = time.monotonic() - started
        with zipfile.ZipFile(file) as zipped:
            broken = zipped.testzip()
            names = [name for name in zipped.namelist() if name.startswith("runs/")]
            ids = [line[7:37] for name in names for line in zipped.read(name).splitlines()]
    whole = broken is None and len(ids) == len(set(ids)) == runs
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    size = archive.size / 1e6
    print(
        f"{'ok' if whole else 'FAILED'}: {len(ids):,} runs in it, {len(set(ids)):,} different, of {runs:,}; "
        f"{export.part_count} entries, {size:.1f} MB, fetched at {size / seconds:.0f} MB/s with {memory} MB"
    )
    return int(not whole)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

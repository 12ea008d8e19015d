"""A fingerprint of what decides how a migrated database looks."""

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def schema_fingerprint() -> str:
    """Changes when a migration, the fences, the grants or a library with migrations of its own changes."""
    paths = [
        *ROOT.glob("apps/*/migrations/*.py"),
        *(ROOT / "deploy/postgres-init").glob("*.sql"),
        ROOT / "apps/core/management/commands/migrate.py",
        ROOT / "apps/core/partitions.py",
        ROOT / "apps/core/row_security.py",
        ROOT / "requirements.lock",
    ]
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]

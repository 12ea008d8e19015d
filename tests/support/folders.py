"""Folders of tests that the account of the embedded servers can enter."""

from pathlib import Path


def let_in(folder: Path) -> Path:
    """Open pytest's own folders for passing through; else, as root, the data would go to /var/lib."""
    for part in (folder, *folder.parents):
        if "pytest-of-" not in str(part):
            break
        part.chmod(0o711)
    return folder

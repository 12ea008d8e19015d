"""Where the embedded servers of one profile keep their files, computed without touching the disk twice alike.

`endpoints()` must be answerable before anything runs, so every path here is a pure function of the
checkout, the profile and the account.
"""

import hashlib
import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent.parent
# The kernel's sockaddr_un holds 108 bytes with the closing zero.
SOCKET_PATH_LIMIT = 107
POSTGRES_SOCKET = ".s.PGSQL.5432"
VALKEY_SOCKET = "valkey.sock"
PROFILES = ("demo", "test", "bench")


class EmbeddedError(Exception):
    """An embedded server can't be started, reached or stopped; the message says what to do."""


@dataclass(frozen=True)
class Account:
    """The system account that runs the servers: Postgres refuses to run as root."""

    uid: int
    gid: int
    switch: bool
    """Whether a child process has to change to it (we are root)."""

    @property
    def popen_options(self) -> dict[str, Any]:
        """Keyword arguments for subprocess that make the child run as this account."""
        if not self.switch:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def server_account() -> Account:
    """`nobody` for root, ourselves otherwise."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid, switch=True)


def reachable(path: Path, account: Account) -> bool:
    """Whether the account may walk down to `path` (its existing part)."""
    if not account.switch:
        return True
    return all(_searchable(part, account) for part in (path, *path.parents) if part.is_dir())


def _searchable(folder: Path, account: Account) -> bool:
    facts = folder.stat()
    if facts.st_uid == account.uid:
        return bool(facts.st_mode & stat.S_IXUSR)
    return bool(facts.st_mode & stat.S_IXOTH)


@dataclass(frozen=True)
class Places:
    """All paths of one profile."""

    profile: str
    checkout: Path = CHECKOUT

    @cached_property
    def account(self) -> Account:
        return server_account()

    @cached_property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"{self.checkout}:{self.profile}".encode()).hexdigest()[:16]

    @cached_property
    def home(self) -> Path:
        """The profile's folder: in the checkout, or in /var/lib where `nobody` can't enter the checkout."""
        if reachable(self.checkout, self.account):
            return self.checkout / ".promptsaas" / self.profile
        return Path("/var/lib/promptsaas") / self.fingerprint / self.profile

    @cached_property
    def sockets(self) -> Path:
        """A 0700 folder whose socket names fit into the kernel's limit."""
        beside = self.home / "run"
        if self._fits(beside):
            return beside
        name = f"promptsaas-{self.account.uid}-{self.fingerprint}"
        candidates = [Path(tempfile.gettempdir()) / name, Path("/tmp") / name]  # noqa: S108 - owner and mode are checked
        return next(path for path in candidates if self._fits(path) and reachable(path.parent, self.account))

    @staticmethod
    def _fits(folder: Path) -> bool:
        # Postgres also makes "<socket>.lock", but only the socket itself is bound.
        longest = max(POSTGRES_SOCKET, VALKEY_SOCKET, key=len)
        return len(os.fsencode(folder / longest)) <= SOCKET_PATH_LIMIT

    @property
    def postgres_data(self) -> Path:
        return self.home / "postgres"

    @property
    def valkey_data(self) -> Path:
        return self.home / "valkey"

    @property
    def secrets(self) -> Path:
        return self.home / "secrets"

    @property
    def lock(self) -> Path:
        return self.home / "lock"

    @property
    def users_lock(self) -> Path:
        """Held shared by everybody who needs the servers to stay up."""
        return self.home / "users.lock"

    @property
    def binaries(self) -> Path:
        """A copy of the servers' programs, where the installed ones can't be reached by the account."""
        return self.home / "programs"

    @property
    def postgres_socket(self) -> Path:
        return self.sockets / POSTGRES_SOCKET

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / VALKEY_SOCKET

    def make(self) -> None:
        """Make the folders with their owners and modes. Raises EmbeddedError if one belongs to a stranger."""
        shared_mode = 0o711 if self.account.switch else 0o700
        if not self.home.is_relative_to(self.checkout):
            self.home.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self.home.parent, self.home):
            folder.mkdir(mode=shared_mode, exist_ok=True)
            folder.chmod(shared_mode)
        self._private(self.secrets, os.geteuid(), os.getegid())
        for folder in (self.postgres_data, self.valkey_data, self.sockets):
            self._private(folder, self.account.uid, self.account.gid)

    def _private(self, folder: Path, uid: int, gid: int) -> None:
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            pass
        else:
            if self.account.switch:
                os.chown(folder, uid, gid)
        facts = folder.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != uid:
            raise EmbeddedError(
                f"{folder} belongs to user {facts.st_uid}, not to user {uid}: "
                f"run as the user who made it, or remove {self.home} (its data is lost)."
            )
        folder.chmod(0o700)

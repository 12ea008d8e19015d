import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis as redis_library

from promptsaas import embedded
from promptsaas.embedded import endpoints_at, ensure_running_at, postgres, secret_files, stop_at, valkey
from promptsaas.embedded.places import SOCKET_PATH_LIMIT, Account, EmbeddedError, Places, reachable
from promptsaas.embedded.processes import command_line, stop_process
from tests.support.folders import let_in


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    found = Places("test", checkout=let_in(tmp_path_factory.mktemp("a checkout")))
    ensure_running_at(found)
    yield found
    stop_at(found)


def test_ensure_running__second_call__keeps_the_servers(places: Places) -> None:
    before = (postgres.postgres_pid(places), valkey.valkey_pid(places))
    assert None not in before
    ensure_running_at(places)
    assert (postgres.postgres_pid(places), valkey.valkey_pid(places)) == before


def test_ensure_running__two_processes_at_once__one_pair_of_servers(open_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from promptsaas.embedded import *;"
        "from promptsaas.embedded import ensure_running_at, postgres;"
        "places = Places('test', checkout=Path(sys.argv[1])); ensure_running_at(places);"
        "print(postgres.postgres_pid(places))"
    )
    command = [sys.executable, "-c", code, str(open_path)]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        pids = {start.communicate()[0].strip() for start in starts}
        assert len(pids) == 1
        assert pids != {"None"}
    finally:
        stop_at(Places("test", checkout=open_path))


def test_roles__app__may_become_system_and_nothing_else(places: Places) -> None:
    with psycopg.connect(endpoints_at(places).database_url, autocommit=True) as connection:
        facts = "SELECT rolsuper, rolbypassrls, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(facts).fetchone() == (False, False, False)
        connection.execute("SET ROLE promptsaas_system")
        connection.execute("RESET ROLE")
        for role in ("promptsaas_owner", "postgres"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SET ROLE {role}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE strange ()")


def test_roles__owner__may_make_tables_and_trigram_indexes(places: Places) -> None:
    with psycopg.connect(endpoints_at(places).migration_database_url) as connection:
        connection.execute("CREATE TABLE tried (words text)")
        connection.execute("CREATE INDEX ON tried USING gin (words gin_trgm_ops)")
        connection.rollback()


def test_valkey__address__answers(places: Places) -> None:
    with redis_library.Redis.from_url(endpoints_at(places).redis_url) as client:
        assert client.ping()


def test_servers__socket_folder__is_private(places: Places) -> None:
    assert stat.S_IMODE(places.sockets.stat().st_mode) == 0o700


def test_stop_and_start__data__is_still_there(places: Places) -> None:
    url = endpoints_at(places).migration_database_url
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 7 AS number")
    stop_at(places)
    assert postgres.postgres_pid(places) is None
    assert not postgres.ping(places)
    assert not valkey.ping(places)
    ensure_running_at(places)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_ensure_running__servers_killed__start_again(places: Places) -> None:
    for pid in (postgres.postgres_pid(places), valkey.valkey_pid(places)):
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    ensure_running_at(places)
    assert postgres.ping(places)
    assert valkey.ping(places)


def test_stop__pid_of_another_program__is_refused(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        # Just after exec the kernel shows no command line yet.
        while not command_line(stranger.pid):
            time.sleep(0.01)
        pid_file = tmp_path / "pid"
        pid_file.write_text(f"{stranger.pid}\n")
        with pytest.raises(EmbeddedError, match="not ours"):
            stop_process(pid_file, "postgres -D /somewhere", signal.SIGTERM)
        assert stranger.poll() is None
    finally:
        stranger.communicate(b"\n")


def test_sockets__long_checkout_path__fall_back_to_a_short_folder(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 20) / ("longer" * 15)
    deep.mkdir(parents=True)
    found = Places("test", checkout=deep)
    assert not found.sockets.is_relative_to(deep)
    assert len(str(found.postgres_socket)) <= SOCKET_PATH_LIMIT
    assert found.sockets != Places("demo", checkout=deep).sockets


def test_home__checkout_closed_to_the_account__lies_elsewhere(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    nobody = Account(uid=65534, gid=65534, switch=True)
    assert not reachable(tmp_path, nobody)
    found = Places("demo", checkout=tmp_path)
    found.__dict__["account"] = nobody
    assert found.home.is_relative_to("/var/lib/promptsaas")


def test_make__folder_of_a_stranger__is_refused(open_path: Path) -> None:
    found = Places("test", checkout=open_path)
    found.__dict__["account"] = Account(uid=os.geteuid() + 1, gid=os.getegid(), switch=False)
    with pytest.raises(EmbeddedError, match="belongs to user"):
        found.make()


def test_secret__second_reading__is_the_same_and_private(open_path: Path) -> None:
    found = Places("test", checkout=open_path)
    first = secret_files.secret(found, "master_key")
    assert secret_files.secret(found, "master_key") == first
    assert stat.S_IMODE((found.secrets / "master_key").stat().st_mode) == 0o600


def test_endpoints__unknown_profile__is_refused() -> None:
    with pytest.raises(EmbeddedError, match="unknown profile"):
        embedded.endpoints("production")

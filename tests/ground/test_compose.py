import os
import re
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from apps.gateway.routes import ROUTES, Route
from apps.prompts.names import RESERVED_SEGMENTS
from promptsaas.demo.processes import Ports, plans
from promptsaas.embedded import endpoints_at, ensure_running_at, postgres, stop_at
from promptsaas.embedded.places import Places
from promptsaas.embedded.programs import postgres_program
from promptsaas.routes import GATEWAY_PREFIXES, HEALTH_PATHS, WEB_PREFIXES, belongs_to_gateway

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {
    name: service for name, service in COMPOSE["services"].items() if service.get("image") == "promptsaas"
}
# Where a process listens, and for whom, differs between one machine and many.
PLACE = ("--host", "--port", "--workers", "--web")


def essence(command: list[str]) -> tuple[str, ...]:
    after = command[command.index(next(word for word in command if word.endswith("manage.py"))) + 1 :]
    return tuple(word for word in after if not word.startswith(PLACE))


def test_compose__commands__are_those_of_the_demo() -> None:
    composed = {essence(service["command"]) for service in OURS.values()}
    demo = {essence(list(plan.command)) for plan in plans(Ports(1, 2))}
    assert composed == demo | {("migrate",)}


def test_compose__services__are_the_products_processes() -> None:
    assert set(OURS) == {"migrate", "web", "gateway", "worker", "worker-interactive", "worker-bulk", "cron"}
    assert {"postgres", "valkey", "router"} <= set(COMPOSE["services"])


@pytest.mark.parametrize("name", ["postgres", "valkey", "web", "gateway"])
def test_compose__service_others_wait_for__has_a_health_check(name: str) -> None:
    assert COMPOSE["services"][name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", sorted(set(COMPOSE["services"]) - {"migrate"}))
def test_compose__long_running_service__is_restarted(name: str) -> None:
    assert COMPOSE["services"][name]["restart"] == "unless-stopped"


def test_compose__owner_role__migrates_and_nothing_else() -> None:
    with_owner = {
        name for name, service in OURS.items() if "MIGRATION_DATABASE_URL" in service["environment"]
    }
    assert with_owner == {"migrate"}
    for service in OURS.values():
        assert service["environment"]["DATABASE_URL"].startswith("postgresql://promptsaas_app:")


def test_compose__mounted_files__exist() -> None:
    mounts = [
        mount
        for service in COMPOSE["services"].values()
        for mount in service.get("volumes", [])
        if mount[0] == "."
    ]
    assert mounts
    for mount in mounts:
        assert (ROOT / mount.split(":")[0]).is_file()


def test_compose__variables__stand_in_the_example() -> None:
    wanted = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    given = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert wanted == given


def test_caddyfile__paths__are_the_routers() -> None:
    text = (ROOT / "deploy" / "Caddyfile").read_text()
    matchers = {name: paths.split() for name, paths in re.findall(r"@(\w+) path (.+)", text)}
    assert matchers["web"] == [path for prefix in WEB_PREFIXES for path in (prefix, f"{prefix}/*")]
    assert matchers["gateway"] == [f"{prefix}*" for prefix in GATEWAY_PREFIXES]


PROMPT_PATHS = (
    *("", "/", "/a", "/a/b", "/a/", "/run", "/a/run", "/a/b/render", "/a/render/", "/a/RUN", "//run"),
    *(
        "/versions/x/run",
        "/a/versions",
        "/a/Versions/3",
        "/versions2",
        "/a/labels/run",
        "/a/b.c",
        "/runs/run",
    ),
)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "DELETE"])
def test_caddyfile__prompts__are_told_apart_as_by_the_router(method: str) -> None:
    text = (ROOT / "deploy" / "Caddyfile").read_text()
    blocks = re.findall(r"^\t@(prompt_\w+) \{\n(.+?)\n\t\}", text, re.DOTALL | re.MULTILINE)
    assert [name for name, _ in blocks] == ["prompt_read", "prompt_call"]
    for path in (f"/api/v1/prompts{ending}" for ending in PROMPT_PATHS):
        caddys = any(_matches(block, method, path) for _, block in blocks)
        assert caddys == belongs_to_gateway(method, path), path


def _matches(block: str, method: str, path: str) -> bool:
    methods, wanted, refused = (line.split(" ", 1)[1] for line in block.strip().splitlines())
    no = refused.removeprefix("path_regexp ")
    fits = re.search(wanted.strip(), path) is not None and re.search(no, path) is None
    return method in methods.split() and fits


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_belongs_to_gateway__every_route_of_the_gateway(route: Route) -> None:
    assert belongs_to_gateway(route.method, route.path.replace("*", "some/name"))


def test_caddyfile__reserved_words__are_those_of_the_names() -> None:
    text = (ROOT / "deploy" / "Caddyfile").read_text()
    lists = re.findall(r"not path_regexp .*\?\((.+?)\)[(/]", text)
    assert len(lists) == 2
    assert all(listed.split("|") == sorted(map(re.escape, RESERVED_SEGMENTS)) for listed in lists)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/files",
        "/v1/files/x",
        "/v1/batches/x/cancel",
        "/api/v1/prompts/a/versions",
        "/v10/x",
        "/admin/",
    ],
)
def test_belongs_to_gateway__everything_else__is_webs(path: str) -> None:
    assert not belongs_to_gateway("GET", path)


def test_belongs_to_gateway__health__is_the_asked_process_own() -> None:
    assert all(belongs_to_gateway("GET", path) for path in HEALTH_PATHS)


def test_postgres_init__script__makes_roles_with_passwords(open_path: Path) -> None:
    places = Places("test", checkout=open_path)
    scripts = open_path / "init"
    (scripts / "sql").mkdir(parents=True)
    for source, target in (("10-promptsaas.sh", ""), ("roles.sql", "sql"), ("database.sql", "sql")):
        (scripts / target / source).write_bytes((ROOT / "deploy/postgres-init" / source).read_bytes())
    ensure_running_at(places)
    try:
        environment = {
            "PATH": f"{postgres_program(places, 'psql').parent}:{os.environ['PATH']}",
            "PGHOST": str(places.sockets),
            "POSTGRES_USER": "postgres",
            "POSTGRES_DB": "promptsaas",
            "OWNER_PASSWORD": "it's; a -- secret",
            "APP_PASSWORD": "another",
        }
        for _ in range(2):
            subprocess.run(["bash", str(scripts / "10-promptsaas.sh")], env=environment, check=True)
        with psycopg.connect(postgres.address(places, "postgres")) as connection:
            query = (
                "SELECT count(*) FROM pg_authid WHERE rolname LIKE 'promptsaas%' AND rolpassword IS NOT NULL"
            )
            assert connection.execute(query).fetchone() == (2,)
        with psycopg.connect(endpoints_at(places).migration_database_url) as connection:
            connection.execute("CREATE TABLE tried (words text)")
    finally:
        stop_at(places)

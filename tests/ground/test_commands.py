import pytest
from django.core.management import load_command_class

from promptsaas.embedded.command_line import WITHOUT_SERVERS, uses_embedded
from promptsaas.light_commands import LIGHT_COMMANDS
from promptsaas.serving import Address, gateway_command, web_command


@pytest.mark.parametrize("name", sorted(LIGHT_COMMANDS))
def test_light_command__help__is_known_to_both_ways(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        LIGHT_COMMANDS[name].main(["--help"])
    load_command_class("promptsaas", name).print_help("manage.py", name)
    own, djangos = capsys.readouterr().out.split("usage: ")[1:]
    for shown in (own, djangos):
        assert LIGHT_COMMANDS[name].help in " ".join(shown.split())


def test_uses_embedded__one_address_missing__yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMPTSAAS_ENV", raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql:///x")
    monkeypatch.setenv("REDIS_URL", "redis://x")
    assert not uses_embedded()
    monkeypatch.delenv("REDIS_URL")
    assert uses_embedded()
    monkeypatch.setenv("PROMPTSAAS_ENV", "production")
    assert not uses_embedded()


def test_commands_without_servers__are_not_those_that_serve() -> None:
    assert not WITHOUT_SERVERS & set(LIGHT_COMMANDS)


def test_server_commands__address_and_interface() -> None:
    address = Address("127.0.0.1", 8001)
    web = web_command(address, workers=2, threads=4)
    gateway = gateway_command(address, workers=1)
    assert {"--interface=wsgi", "--port=8001", "--workers=2", "--blocking-threads=4"} <= set(web)
    assert {"--interface=asgi", "--loop=uvloop"} <= set(gateway)

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from pytest_django import Settings

from apps.core import checks


@pytest.mark.django_db
def test_check__our_roles__pass() -> None:
    assert checks.check_application_role(databases=["default"]) == []
    call_command("check", databases=["default"])


@pytest.mark.django_db
def test_check_application_role__dangerous__is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "has_dangerous_role", lambda: True)
    assert [found.id for found in checks.check_application_role(databases=["default"])] == ["core.E004"]
    assert checks.check_application_role(databases=["owner"]) == []


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("MASTER_KEYS", ["1:short"], "core.E001"),
        ("TRUSTED_PROXIES", ["nonsense"], "core.E002"),
        ("OUTBOUND_ALLOWED_HOSTS", ["localhost"], "core.E003"),
        ("OUTBOUND_ALLOWED_HOSTS", ["localhost:http"], "core.E003"),
    ],
)
def test_check__malformed_setting__is_named(
    settings: Settings, name: str, value: list[str], code: str
) -> None:
    setattr(settings, name, value)
    with pytest.raises(SystemCheckError, match=code):
        call_command("check", tags=["security"])

import pytest
from django.test import Client

from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_styleguide__staff__every_specimen_in_both_themes(client: Client) -> None:
    client.force_login(make_user(staff=True))
    page = client.get("/styleguide/").content.decode()
    assert page.count('data-theme="light"') == page.count('data-theme="dark"') >= 20
    assert "{%" not in page


def test_styleguide__others__not_found(client: Client) -> None:
    client.force_login(make_user())
    assert client.get("/styleguide/").status_code == 404


def test_styleguide__anonymous__sent_to_sign_in(client: Client) -> None:
    assert client.get("/styleguide/").status_code == 302

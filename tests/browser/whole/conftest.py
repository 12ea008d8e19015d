"""Tests in front of everything: the public origin with gateway and workers, started once for all of them."""

from collections.abc import Iterator

import pytest

from tests.browser.servers import Site, whole_product


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give all of them to one process: each would start the servers again."""
    for item in items:
        if "tests/browser/whole/" in item.nodeid:
            item.add_marker(pytest.mark.xdist_group("whole"))


@pytest.fixture(scope="package")
def whole_site(django_db_setup: None) -> Iterator[Site]:
    """Everything; its workers would run the batches of other tests, so it ends with this folder."""
    with whole_product() as site:
        yield site

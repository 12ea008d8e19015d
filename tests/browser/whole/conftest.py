"""Tests in front of everything: the public origin with gateway and workers, started once for all of them."""

from collections.abc import Iterator

import pytest

from tests.browser.servers import Site, whole_product


@pytest.fixture(scope="package")
def whole_site(django_db_setup: None) -> Iterator[Site]:
    """Everything; its workers would run the batches of other tests, so it ends with this folder."""
    with whole_product() as site:
        yield site

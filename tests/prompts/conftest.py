"""Fixtures of the tests of prompts' pages."""

import pytest

from apps.tenants.models import Project
from tests.factories import make_project
from tests.prompts.web_support import Web


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def web(project: Project) -> Web:
    return Web(project)

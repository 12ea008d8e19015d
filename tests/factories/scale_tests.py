"""Rows of scale tests."""

from typing import Any

from apps.audit.actor import SYSTEM
from apps.batches.scale_models import ScaleTest
from apps.batches.services.scale_tests import ScaleTestOptions, start_scale_test
from apps.core.models import TenantModel
from apps.core.scope import organization_scope
from apps.runs.types import PromptReference
from apps.tenants.models import Project
from tests.factories.datasets import make_dataset_version
from tests.factories.prompts import make_content, make_prompt
from tests.factories.registry import tenant_factory
from tests.factories.tenants import make_project


def make_scale_test(*, project: Project | None = None, **options: Any) -> ScaleTest:
    """A scale test on the sandbox whose first step is started; a pump must run it."""
    project = project or make_project()
    prompt = make_prompt(project=project, content=make_content())
    version = make_dataset_version(project=project)
    with organization_scope(project.organization_id):
        return start_scale_test(
            actor=SYSTEM,
            project=project,
            prompt=PromptReference(prompt.name, number=1),
            dataset_version=version,
            options=ScaleTestOptions(**{"steps": (2, 5), **options}),
        )


@tenant_factory("batches.ScaleTest")
def _scale_test(project: Project) -> TenantModel:
    return make_scale_test(project=project)


@tenant_factory("batches.ScaleTestStep")
def _step(project: Project) -> TenantModel:
    step = make_scale_test(project=project).steps.first()
    assert step is not None
    return step

"""Reads of scale tests. Call inside the organization's scope."""

from django.db.models import Prefetch, QuerySet

from apps.batches.planning import Plan
from apps.batches.scale_models import ScaleTest, ScaleTestStep
from apps.billing.queries import usage_summary
from apps.core.errors import NotFound
from apps.core.models import find
from apps.tenants.models import Project


def list_scale_tests(project: Project, *, status: str = "", search: str = "") -> QuerySet[ScaleTest]:
    """A project's scale tests with their steps in order."""
    found = _with_steps(ScaleTest.objects.filter(project=project))
    if status:
        found = found.filter(status=status)
    return found.filter(name__icontains=search) if search else found


def get_scale_test(project: Project, public_id: str) -> ScaleTest:
    """One scale test of a project with its steps in order. Raises NotFound."""
    test = find(list_scale_tests(project), public_id)
    if test is None:
        raise NotFound("There is no such scale test.", code="scale_test_not_found")
    return test


def runs_left(project: Project, plan: Plan) -> int | None:
    """How many runs the month has left for what is planned; None without a limit, as in the sandbox."""
    return None if plan.model.sandbox else usage_summary(project.organization_id).remaining


def _with_steps(tests: QuerySet[ScaleTest]) -> QuerySet[ScaleTest]:
    return tests.prefetch_related(Prefetch("steps", ScaleTestStep.objects.order_by("position")))

"""``manage.py scale_test``: run a prompt over more and more rows and print what each step shows."""

import time
from argparse import ArgumentTypeError
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.audit.actor import SYSTEM
from apps.batches.planning import Plan
from apps.batches.scale_models import LARGEST_STEP, USUAL_STEPS, ScaleTest, ScaleTestStep
from apps.batches.scale_queries import get_scale_test
from apps.batches.services.scale_tests import (
    DEFAULT_CONCURRENCY,
    ScaleTestOptions,
    advance_scale_test,
    plan_scale_test,
    start_scale_test,
)
from apps.core.errors import PromptsaasError
from apps.core.formatting import format_duration
from apps.core.scope import organization_scope, system_scope
from apps.datasets.queries import get_version
from apps.runs.types import PromptReference
from apps.tenants.models import Organization, Project

LOOK_SECONDS: Final = 0.5
HEAD: Final = (
    f"{'rows':>8} {'rows/s':>9} {'p50':>9} {'p95':>9} {'p99':>9} {'errors':>8} {'cost of a row':>15}"
)


class Command(BaseCommand):
    help = "Run a prompt over more and more rows, one batch after the other. Needs a worker."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="organization/project, as their addresses have it")
        parser.add_argument("prompt", help="name, name@label or name#version")
        parser.add_argument("dataset_version", help="dsv_…")
        parser.add_argument(
            "--steps", type=_steps, default=USUAL_STEPS, help=f"10,100,1000: up to {LARGEST_STEP} rows"
        )
        parser.add_argument("--model", default="", help="instead of the version's")
        parser.add_argument("--concurrency", type=int, default=DEFAULT_CONCURRENCY)
        parser.add_argument("--cost-cap", type=_amount, help="in US dollars, for all steps together")
        parser.add_argument("--yes", action="store_true", help="start without asking")

    def handle(self, *args: Any, **given: Any) -> None:
        project = _project(given["project"])
        options = ScaleTestOptions(
            model=given["model"],
            steps=given["steps"],
            concurrency=given["concurrency"],
            cost_cap=given["cost_cap"],
        )
        try:
            test = self._start(project, given["prompt"], given["dataset_version"], options, given["yes"])
        except PromptsaasError as error:
            raise CommandError(error.message) from None
        if test is not None:
            self._follow(project, test)

    def _start(
        self, project: Project, prompt: str, dataset_version: str, options: ScaleTestOptions, yes: bool
    ) -> ScaleTest | None:
        with organization_scope(project.organization_id):
            version = get_version(project, dataset_version)
            plan = plan_scale_test(
                project=project, prompt=_reference(prompt), dataset_version=version, options=options
            )
            self.stdout.write(_estimate_words(plan))
        # Nobody is waited for inside a transaction.
        if not yes and input("Start? [y/N] ").strip().lower() not in ("y", "yes"):
            return None
        with organization_scope(project.organization_id):
            return start_scale_test(
                actor=SYSTEM,
                project=project,
                prompt=_reference(prompt),
                dataset_version=version,
                options=options,
            )

    def _follow(self, project: Project, test: ScaleTest) -> None:
        self.stdout.write(f"{test.public_id}\n\n{HEAD}")
        told = 0
        while True:
            advance_scale_test(project.organization_id, test.pk)
            with organization_scope(project.organization_id):
                now = get_scale_test(project, test.public_id)
                measured = [step for step in now.steps.all() if step.finished]
            for step in measured[told:]:
                self.stdout.write(_line(step, now))
            told = len(measured)
            if now.is_terminal:
                break
            time.sleep(LOOK_SECONDS)
        self.stdout.write(f"\n{now.get_status_display()}. {now.problem}".rstrip())
        if now.status != "completed":
            raise CommandError(now.problem or f"The scale test was stopped: {now.stop_reason}.")


def _project(path: str) -> Project:
    organization_slug, _, slug = path.partition("/")
    with system_scope():
        organization = Organization.objects.filter(slug=organization_slug).first()
    if organization is None:
        raise CommandError(f"There is no organization {organization_slug}.")
    with organization_scope(organization.pk):
        project = Project.objects.filter(slug=slug).select_related("organization").first()
    if project is None:
        raise CommandError(f"{organization_slug} has no project {slug}.")
    return project


def _reference(text: str) -> PromptReference:
    name, hash_sign, number = text.rpartition("#")
    if hash_sign and number.isdecimal():
        return PromptReference(name, number=int(number))
    name, at, label = text.rpartition("@")
    return PromptReference(name, label=label) if at else PromptReference(text)


def _steps(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ArgumentTypeError("write numbers of rows with commas between them") from None


def _amount(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ArgumentTypeError("write an amount of US dollars") from None


def _estimate_words(plan: Plan) -> str:
    estimate = plan.estimate
    calls = f"{plan.rows:,} calls of {plan.model.reference}"
    if estimate.low is None or estimate.high is None:
        return f"{calls}, price unknown"
    money = f"${estimate.low:.4f} to ${estimate.high:.4f}"
    return f"{calls}, {money}{' in the sandbox, not real money' if estimate.status == 'sandbox' else ''}"


def _line(step: ScaleTestStep, test: ScaleTest) -> str:
    rate = "-" if step.rows_per_second is None else f"{step.rows_per_second:,.1f}"
    percentiles = (step.latency_p50, step.latency_p95, step.latency_p99)
    times = " ".join(f"{'-' if each is None else format_duration(each):>9}" for each in percentiles)
    errors = "-" if step.error_rate is None else f"{100 * step.error_rate:.1f} %"
    cost = "unknown" if step.cost_per_row is None else f"${step.cost_per_row:.7f}"
    return f"{step.rows:>8,} {rate:>9} {times} {errors:>8} {cost:>15}{' sandbox' if test.sandbox else ''}"

"""Batches by API: estimate, start, follow, change, take the results."""

from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.batches import queries, services
from apps.batches.api import control_shapes as controls
from apps.batches.api import serializers as shapes
from apps.batches.api.live_keys import demand_live_key
from apps.batches.api.source_shapes import MOST_BYTES, body_of_form, find_version, source_of_body
from apps.batches.api.work_shapes import variants_of, work_of
from apps.batches.models import BatchJob
from apps.batches.outlook import outlook
from apps.batches.planning import Plan, plan_batch
from apps.batches.results import failures
from apps.batches.services.starting import BatchOptions
from apps.core import api
from apps.core.expanding import asked_expansions, expand_parameter, expanded
from apps.core.json_bodies import parse_json
from apps.core.openapi import CURSOR_PARAMETERS, list_of
from apps.datasets.api.serializers import version_json
from apps.datasets.models import DatasetVersion
from apps.runs.types import PromptReference
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

TAGS = ["Batches"]


def _dataset_versions(jobs: Sequence[BatchJob]) -> dict[UUID, dict[str, Any]]:
    wanted = DatasetVersion.objects.filter(pk__in={job.dataset_version_id for job in jobs})
    found = {version.pk: version_json(version) for version in wanted}
    return {job.pk: found[job.dataset_version_id] for job in jobs if job.dataset_version_id in found}


EXPANSIONS: Final = {"dataset_version": _dataset_versions}


class RowsParser(api.JSONParser):
    """A JSON body that may hold rows."""

    limit = MOST_BYTES


class BatchListAPI(ProjectAPIView):
    """The batches of the project."""

    permissions = {"GET": Permission.BATCHES_VIEW, "POST": Permission.BATCHES_RUN}
    parser_classes = [RowsParser, MultiPartParser]

    @extend_schema(
        operation_id="list_batches",
        tags=TAGS,
        parameters=[*CURSOR_PARAMETERS, expand_parameter(EXPANSIONS)],
        responses=list_of(shapes.BatchSerializer),
    )
    def get(self, request: Request) -> Response:
        """List the project's batches, newest first."""
        _check_expansions(self, request)
        return Response(api.page(queries.list_jobs(self.project), request, shapes.batch_json, EXPANSIONS))

    @extend_schema(
        operation_id="create_batch",
        tags=TAGS,
        request={
            "application/json": shapes.StartBatchSerializer,
            "multipart/form-data": {
                "type": "object",
                "required": ["batch", "file"],
                "properties": {
                    "batch": {"type": "string", "description": "The JSON body without rows."},
                    "file": {"type": "string", "format": "binary", "description": "CSV or JSONL."},
                },
            },
        },
        responses={202: shapes.BatchSerializer},
    )
    def post(self, request: Request) -> Response:
        """Start a batch: a prompt over the rows of a dataset, a file, the body, earlier runs, another batch.

        With many rows the batch is `validating` until they are taken, then starts by itself; what is wrong
        with them ends it as `failed`, and `problem` says why.
        """
        file = request.FILES.get("file")
        body = parse_json(body_of_form(request.data).encode()) if file else request.data
        serializer = shapes.StartBatchSerializer(data=body, context={"has_file": file is not None})
        values = api.validated(serializer)
        found = source_of_body(self, values, file)
        over: dict[str, Any] = {"source": found}
        start: Callable[..., BatchJob] = services.start_batch_from
        if isinstance(found, DatasetVersion):
            start, over = services.start_batch, {"dataset_version": found}
        job = start(
            actor=self.access.actor,
            project=self.project,
            prompt=_prompt_reference(values),
            **over,
            options=BatchOptions(
                name=values.get("name", ""),
                model=values.get("model", ""),
                parameters=values.get("parameters", {}),
                concurrency=values["concurrency"],
                row_limit=values.get("row_limit"),
                variants=variants_of(values),
                work=work_of(values),
                cost_cap=values.get("cost_cap_usd"),
                metadata=values.get("metadata", {}),
                livemode=self.access.livemode,
                api_key_id=self.access.api_key_id,
                **controls.control_options(values),
            ),
        )
        return Response(shapes.batch_json(job), status=202)


class EstimateAPI(ProjectAPIView):
    """What a batch would do."""

    permissions = {"POST": Permission.BATCHES_RUN}
    idempotent = False

    @extend_schema(
        operation_id="estimate_batch",
        tags=TAGS,
        request=shapes.PlanBatchSerializer,
        responses=shapes.BatchPlanSerializer,
    )
    def post(self, request: Request) -> Response:
        """Tell what a batch would cost and which rows lack a variable, without starting it."""
        values = api.validated(shapes.PlanBatchSerializer(data=request.data))
        plan = _plan(self, values)
        asked = {name: values[name] for name in ("deduplicate", "sample_rows") if name in values}
        return Response(shapes.plan_json(self.project.id, plan, outlook(plan, **asked)))


class BatchAPI(ProjectAPIView):
    """One batch."""

    permissions = {"GET": Permission.BATCHES_VIEW, "PATCH": Permission.BATCHES_RUN}

    @extend_schema(
        operation_id="get_batch",
        tags=TAGS,
        parameters=[expand_parameter(EXPANSIONS)],
        responses=shapes.BatchSerializer,
    )
    def get(self, request: Request, batch: str) -> Response:
        """Get a batch with its progress."""
        _check_expansions(self, request)
        job = queries.get_job(self.project, batch)
        body = shapes.progress_json(queries.progress(job), failures.failures(job), queries.variants_of(job))
        return Response(expanded(request, [job], [body], EXPANSIONS)[0])

    @extend_schema(
        operation_id="update_batch",
        tags=TAGS,
        request=controls.ChangeBatchSerializer,
        responses=shapes.BatchSerializer,
    )
    def patch(self, request: Request, batch: str) -> Response:
        """Change the priority, concurrency, cost cap, start or deadline of a batch that has not ended."""
        values = api.validated(controls.ChangeBatchSerializer(data=request.data))
        job = queries.get_job(self.project, batch)
        demand_live_key(self.access, job)
        job = services.change_batch(actor=self.access.actor, job=job, changes=controls.changes_of(values))
        return Response(shapes.batch_json(job))


def _check_expansions(view: ProjectAPIView, request: Request) -> None:
    """What is of datasets takes the right to see datasets. Raises PermissionDenied."""
    if asked_expansions(request, EXPANSIONS):
        view.access.require(Permission.DATASETS_VIEW)


def _plan(view: ProjectAPIView, values: dict[str, Any]) -> Plan:
    return plan_batch(
        project=view.project,
        prompt=_prompt_reference(values),
        dataset_version=find_version(view.project, values["dataset_version"]),
        model=values.get("model", ""),
        parameters=values.get("parameters", {}),
        row_limit=values.get("row_limit"),
        livemode=view.access.livemode,
        variants=variants_of(values),
        work=work_of(values),
    )


def _prompt_reference(values: dict[str, Any]) -> PromptReference:
    return PromptReference(values["prompt"], label=values.get("label"), number=values.get("version"))

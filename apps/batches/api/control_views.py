"""Control of a batch by API: pause, go on, stop, retry, run again."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.batches import queries, services
from apps.batches.api import control_shapes as controls
from apps.batches.api import serializers as shapes
from apps.batches.api.live_keys import demand_live_key
from apps.batches.services.starting import BatchOptions
from apps.core import api
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

TAGS = ["Batches"]


class CancelBatchAPI(ProjectAPIView):
    """The stop of a batch."""

    permissions = {"POST": Permission.BATCHES_RUN}

    @extend_schema(operation_id="cancel_batch", tags=TAGS, request=None, responses=shapes.BatchSerializer)
    def post(self, request: Request, batch: str) -> Response:
        """Stop a batch, whether it runs, waits or is paused. Calls in flight get a few seconds; finished
        rows stay.
        """
        job = services.cancel_batch(actor=self.access.actor, job=queries.get_job(self.project, batch))
        return Response(shapes.batch_json(job))


class PauseBatchAPI(ProjectAPIView):
    """The pause of a batch."""

    permissions = {"POST": Permission.BATCHES_RUN}

    @extend_schema(operation_id="pause_batch", tags=TAGS, request=None, responses=shapes.BatchSerializer)
    def post(self, request: Request, batch: str) -> Response:
        """Pause a running batch. Calls in flight come to their end and are kept."""
        job = services.pause_batch(actor=self.access.actor, job=queries.get_job(self.project, batch))
        return Response(shapes.batch_json(job))


class ResumeBatchAPI(ProjectAPIView):
    """A paused batch goes on."""

    permissions = {"POST": Permission.BATCHES_RUN}

    @extend_schema(operation_id="resume_batch", tags=TAGS, request=None, responses=shapes.BatchSerializer)
    def post(self, request: Request, batch: str) -> Response:
        """Let a paused batch go on; after a sample, with all of its rows."""
        job = queries.get_job(self.project, batch)
        demand_live_key(self.access, job)
        job = services.resume_batch(actor=self.access.actor, job=job)
        return Response(shapes.batch_json(job))


class RetryBatchAPI(ProjectAPIView):
    """Another round of a batch."""

    permissions = {"POST": Permission.BATCHES_RUN}

    @extend_schema(
        operation_id="retry_batch",
        tags=TAGS,
        request=controls.RetryBatchSerializer,
        responses={202: shapes.BatchSerializer},
    )
    def post(self, request: Request, batch: str) -> Response:
        """Run failed and stopped rows of an ended batch once more: all of them, or those of a choice."""
        values = api.validated(controls.RetryBatchSerializer(data=request.data or {}))
        job = queries.get_job(self.project, batch)
        demand_live_key(self.access, job)
        codes = tuple(values.get("codes", ()))
        statuses = values.get("statuses", ["failed"] if codes else controls.RETRIED)
        choice = services.RetryChoice("failed" in statuses, "cancelled" in statuses, codes)
        services.retry_failed(
            actor=self.access.actor, job=job, cost_cap=values.get("cost_cap_usd"), choice=choice
        )
        return Response(shapes.batch_json(queries.get_job(self.project, batch)), status=202)


class RerunBatchAPI(ProjectAPIView):
    """A new batch over rows of another."""

    permissions = {"POST": Permission.BATCHES_RUN}

    @extend_schema(
        operation_id="rerun_batch",
        tags=TAGS,
        request=controls.RerunBatchSerializer,
        responses={202: shapes.BatchSerializer},
    )
    def post(self, request: Request, batch: str) -> Response:
        """Run chosen rows of a batch again, as a new batch, with another version or model if wished."""
        values = api.validated(controls.RerunBatchSerializer(data=request.data))
        job = queries.get_job(self.project, batch)
        options = BatchOptions(
            name=values.get("name", ""),
            model=values.get("model", ""),
            concurrency=values.get("concurrency", job.concurrency),
            cost_cap=values.get("cost_cap_usd"),
            livemode=self.access.livemode,
            api_key_id=self.access.api_key_id,
        )
        started = services.rerun_batch(
            actor=self.access.actor,
            job=job,
            choice=controls.row_choice(values["where"]),
            version=values.get("version"),
            label=values.get("label"),
            options=options,
        )
        return Response(shapes.batch_json(started), status=202)

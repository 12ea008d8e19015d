"""What stands in an archive and what doesn't: one table, which the page, the manifest and a test go by.

A new table of an organization fails the test until it is a kind here, or is left out with the reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import models

from apps.analytics.models import (
    AlertEvent,
    AlertRule,
    DegradationSetting,
    Incident,
    Rollup,
    Segment,
)
from apps.audit.models import AuditCut, AuditDetail, AuditEvent, AuditSeal
from apps.batches.models import BatchItem, BatchJob, BatchVariant
from apps.batches.openai_models import OpenAIAnswer, OpenAIBatch, OpenAIFile
from apps.batches.preparation_models import RowPreparation
from apps.batches.provider_models import ProviderBatch
from apps.batches.scale_models import ScaleTest, ScaleTestStep
from apps.batches.stream_models import Stream
from apps.billing.models import Quota, UsageEvent
from apps.core.models import StoredFile
from apps.datasets.models import (
    Dataset,
    DatasetChange,
    DatasetDraft,
    DatasetImport,
    DatasetRow,
    DatasetVersion,
)
from apps.notifications.models import WebhookDelivery, WebhookEndpoint
from apps.prompts.models import (
    Draft,
    Label,
    LabelMove,
    Prompt,
    PromptUserObjectPermission,
    PromptVersion,
    ServingPolicy,
)
from apps.providers.models import DefaultModel, ModelAlias, PriceOverride, ProviderCredential
from apps.retention.exports import records
from apps.retention.exports.records import Records, plain
from apps.retention.models import ErasureRequest, LegalHold, PurgeRun, RetentionPolicy
from apps.runs.models import Feedback, Run
from apps.tenants.models import (
    APIKey,
    CustomRole,
    Invitation,
    Membership,
    Organization,
    Project,
    ProjectUserObjectPermission,
)

FILES: Final = "files"
ROWS_AT_ONCE: Final = 500
FILES_AT_ONCE: Final = 1


@dataclass(frozen=True, slots=True)
class Kind:
    """One table of an archive: `name` is its folder, `words` what pages call it.

    Rows are read in the order of `order`, along an index that begins with the organization; with `parent`, a
    model and the field that leads to it, one parent after the other. `records` makes the lines; what it
    leaves out of a row is named in `secrets`, with the reason in `why`.
    """

    name: str
    words: str
    model: type[models.Model]
    records: Records = field(default_factory=plain)
    order: tuple[str, ...] = ("pk",)
    parent: tuple[type[models.Model], str] | None = None
    related: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    why: str = ""
    at_once: int = ROWS_AT_ONCE


@dataclass(frozen=True, slots=True)
class Area:
    """Kinds that a page tells together."""

    words: str
    kinds: Sequence[Kind]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What is not in an archive, and why; `models` are tables of which nothing is in it."""

    models: tuple[str, ...]
    words: str
    why: str


def _without(
    name: str, words: str, model: type[models.Model], secrets: tuple[str, ...], why: str, **more: Any
) -> Kind:
    return Kind(name, words, model, plain(*secrets), secrets=secrets, why=why, **more)


_DIGEST: Final = "It would let in whoever can guess what it was made from."

AREAS: Final[Sequence[Area]] = (
    Area(
        "Organization and people",
        (
            Kind("organization", "The organization", Organization),
            Kind("projects", "Projects", Project),
            Kind("members", "Members", Membership, records.members, related=("user",)),
            Kind("roles", "Own roles", CustomRole),
            Kind(
                "project_grants",
                "Rights on single projects",
                ProjectUserObjectPermission,
                records.grants,
                related=("permission",),
                secrets=("permission_id",),
                why="The right stands by its name.",
            ),
            Kind(
                "prompt_grants",
                "Rights on single prompts",
                PromptUserObjectPermission,
                records.grants,
                related=("permission",),
                secrets=("permission_id",),
                why="The right stands by its name.",
            ),
            _without("invitations", "Invitations", Invitation, ("digest",), _DIGEST),
            _without("api_keys", "API keys", APIKey, ("digest",), _DIGEST),
        ),
    ),
    Area(
        "Connections and prices",
        (
            _without(
                "connections",
                "Connections to providers",
                ProviderCredential,
                ("sealed_key", "sealed_headers", "key_hint"),
                "Providers' keys never leave the product.",
            ),
            Kind("default_models", "Default models", DefaultModel),
            Kind("prices", "Own prices", PriceOverride),
            Kind("model_aliases", "Model aliases", ModelAlias),
        ),
    ),
    Area(
        "Prompts",
        (
            Kind("prompts", "Prompts", Prompt),
            Kind("prompt_versions", "Versions of prompts", PromptVersion),
            Kind("labels", "Labels", Label),
            Kind("label_moves", "Moves of labels", LabelMove),
            Kind("prompt_drafts", "Drafts of prompts", Draft),
            Kind("serving_policies", "How prompts are served", ServingPolicy),
        ),
    ),
    Area(
        "Datasets",
        (
            Kind("datasets", "Datasets", Dataset),
            Kind("dataset_versions", "Versions of datasets", DatasetVersion),
            Kind(
                "dataset_rows",
                "Rows of datasets",
                DatasetRow,
                order=("number",),
                parent=(DatasetVersion, "dataset_version_id"),
            ),
            Kind("dataset_imports", "Uploads that wait to be imported", DatasetImport),
            Kind("dataset_drafts", "Drafts of datasets", DatasetDraft),
            Kind("dataset_changes", "Edited rows of drafts", DatasetChange),
        ),
    ),
    Area(
        "Runs",
        (
            Kind("runs", "Runs", Run, order=("-pk",), parent=(Project, "project_id")),
            Kind(
                "run_contents",
                "Contents of runs that are kept",
                Run,
                records.run_contents,
                order=("-pk",),
                parent=(Project, "project_id"),
                at_once=100,
            ),
            Kind(
                "feedback",
                "Feedback",
                Feedback,
                records.feedback,
                secrets=("sealed_text",),
                why="Its words stand in the open.",
            ),
        ),
    ),
    Area(
        "Batches",
        (
            Kind("batches", "Batches", BatchJob),
            Kind("row_sources", "Where batches took their rows", RowPreparation),
            Kind("streams", "Streams", Stream),
            Kind("scale_tests", "Scale tests", ScaleTest),
            Kind(
                "scale_test_steps",
                "Steps of scale tests",
                ScaleTestStep,
                order=("position",),
                parent=(ScaleTest, "scale_test_id"),
            ),
            Kind(
                "batch_variants",
                "Variants of batches",
                BatchVariant,
                order=("position",),
                parent=(BatchJob, "batch_id"),
            ),
            Kind(
                "batch_rows",
                "Results of batches",
                BatchItem,
                order=("number",),
                parent=(BatchJob, "batch_id"),
            ),
            Kind("provider_batches", "Batches at providers", ProviderBatch, parent=(BatchJob, "batch_id")),
            Kind("openai_files", "Files of OpenAI batches", OpenAIFile),
            Kind("openai_batches", "OpenAI batches", OpenAIBatch),
            Kind(
                "openai_answers",
                "Answers that wait to be written to files",
                OpenAIAnswer,
                records.openai_answers,
                order=("number",),
                parent=(OpenAIBatch, "batch_id"),
                secrets=("body",),
                why="It stands in the open.",
            ),
        ),
    ),
    Area(
        "Analytics and alerts",
        (
            Kind("rollup_segments", "Analytics' segments", Segment),
            Kind("rollups", "Analytics' figures", Rollup, order=("grain", "starts_at", "segment_id")),
            Kind("alert_rules", "Alert rules", AlertRule),
            Kind("alert_events", "What alert rules found", AlertEvent),
            Kind("incidents", "Incidents", Incident),
            Kind("degradation_settings", "How incidents are found", DegradationSetting),
        ),
    ),
    Area(
        "Webhooks",
        (
            _without(
                "webhooks",
                "Webhooks",
                WebhookEndpoint,
                ("sealed_secret", "sealed_previous_secret", "secret_hint", "previous_secret_until"),
                "Whoever holds a secret could speak in our name.",
            ),
            _without(
                "webhook_deliveries",
                "Deliveries of webhooks",
                WebhookDelivery,
                ("sealed_body",),
                "What was told stands in its own place in the archive.",
                order=("-pk",),
                parent=(WebhookEndpoint, "endpoint_id"),
            ),
        ),
    ),
    Area(
        "Usage",
        (
            Kind("usage", "Usage records", UsageEvent),
            Kind("quotas", "Quotas", Quota),
        ),
    ),
    Area(
        "Privacy",
        (
            Kind("retention_policies", "Retention", RetentionPolicy),
            Kind("legal_holds", "Legal holds", LegalHold),
            Kind("purges", "Deletions by retention", PurgeRun),
            _without(
                "erasures",
                "Erasures",
                ErasureRequest,
                ("sealed_subject", "subject_digest"),
                "Whoever is erased must not come back by an archive.",
            ),
        ),
    ),
    Area(
        "Audit log",
        (
            Kind("audit_events", "Audit events", AuditEvent),
            Kind(
                "audit_details",
                "Details of audit events",
                AuditDetail,
                records.audit_details,
                order=("event_id", "part"),
                secrets=("sealed",),
                why="What it holds stands in the open.",
            ),
            Kind(
                "audit_seals",
                "The chain of the audit log",
                AuditSeal,
                records.hashes("previous_hash", "hash"),
                order=("sequence",),
            ),
            Kind("audit_cuts", "Where the chain was cut", AuditCut, records.hashes("hash", "mac")),
        ),
    ),
    Area(
        "Files",
        (Kind(FILES, "Uploaded and made files", StoredFile, at_once=FILES_AT_ONCE),),
    ),
)
KINDS: Final[Sequence[Kind]] = tuple(kind for area in AREAS for kind in area.kinds)

LEFT_OUT: Final[Sequence[LeftOut]] = (
    LeftOut(
        (),
        "Providers' keys and headers, API keys, links of invitations, and digests of them",
        "Whoever holds them could act in your name.",
    ),
    LeftOut((), "Whom erasures were about", "Whoever is erased must not come back by an archive."),
    LeftOut(
        ("core.DataKey",),
        "Keys that seal your data",
        "The archive holds in the open what they seal.",
    ),
    LeftOut(
        ("tenants.User",),
        "Passwords, second factors, sessions and settings of accounts",
        "They are each person's own, and people may belong to several organizations.",
    ),
    LeftOut(
        ("core.FileChunk", "runs.RunPayload"),
        "Sealed pieces of files and of contents",
        "The archive has them in the open, under files and run_contents.",
    ),
    LeftOut(
        ("retention.OrganizationExport", "retention.ExportPart"),
        "Archives made before",
        "They hold the same again.",
    ),
    LeftOut(
        (
            "core.Change",
            "core.IdempotencyKey",
            "core.OutboxMessage",
            "core.OutgoingMail",
            "billing.AllowanceLease",
            "billing.UsageKey",
            "runs.CacheEntry",
            "runs.BackgroundRun",
            "runs.UncountedRuns",
            "runs.UncountedFeedback",
            "analytics.KeptFacts",
            "notifications.WebhookAttempt",
        ),
        "The product's own notes: queues, leases, answers to repeated requests, mails on their way",
        "They live for minutes or days and say nothing that is not elsewhere in the archive.",
    ),
)

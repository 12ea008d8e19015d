"""The table of what erasure does with each field: see `inventory`."""

from collections.abc import Iterator
from typing import Final

from apps.billing.plans import LEDGER_YEARS
from apps.retention import inventory
from apps.retention.inventory import Group, Line, Part, Rule, Treatment

DELETED: Final = Rule(Treatment.DELETED)
BLANKED: Final = Rule(Treatment.BLANKED)
PSEUDONYM: Final = Rule(Treatment.PSEUDONYMISED)
SHREDDED: Final = Rule(Treatment.SHREDDED)
NOTHING: Final = Rule(Treatment.NOTHING)
FOUND_DELETED: Final = Rule(Treatment.DELETED, searched=True)
FOUND_BLANKED: Final = Rule(Treatment.BLANKED, searched=True)

AUTHORED: Final = Rule(
    Treatment.STAYS,
    reason="Names and texts that members wrote for the organization are its own work.",
    until="until a member edits or deletes them",
)
VERSIONS: Final = Rule(
    Treatment.STAYS,
    reason="Versions of prompts never change, since releases and past runs refer to them.",
    until="until the organization is deleted",
)
TRAIL: Final = Rule(
    Treatment.STAYS,
    reason="The audit log only grows: names of objects, ids and short values stand in its sealed chain.",
    until="until the organization is deleted",
)
SKELETON: Final = Rule(
    Treatment.STAYS,
    reason="Numbers and hashes of the audit chain, without events, prove that nothing went in secret.",
    until="for good",
)
LEDGER: Final = Rule(
    Treatment.STAYS,
    reason="The law asks for the records behind invoices. They hold random ids and figures only.",
    until=f"for {LEDGER_YEARS} years",
)
ACCOUNTS: Final = Rule(
    Treatment.STAYS,
    reason="Accounts belong to people, who may be members elsewhere.",
    until="until the person's own erasure",
)
PLATFORM: Final = Rule(
    Treatment.STAYS,
    reason="The platform's own record of the deletion: ids, counts and times.",
    until="for good",
)
FEED: Final = Rule(
    Treatment.STAYS, reason="The feed that keeps caches fresh: kinds and random ids.", until="for an hour"
)
ANYWHERE: Final = Rule(
    Treatment.STAYS,
    reason="It goes unless the person belongs to another organization, whose account it is as well.",
    until="until no organization has the person as a member",
)
CERTIFICATE: Final = Rule(
    Treatment.STAYS,
    reason="The certificate: counts, times and a keyed digest that tells nobody who it was about.",
    until="until the organization is deleted",
)


def _part(
    model: str,
    fields: str,
    words: str,
    end_user: Rule = NOTHING,
    member: Rule = NOTHING,
    organization: Rule = DELETED,
) -> Part:
    return Part(model, tuple(fields.split()), words, end_user, member, organization)


_CORE: Final = (
    _part("core.DataKey", "wrapped", "Data key", organization=SHREDDED),
    _part("core.StoredFile", "name content_type sha256", "Files", FOUND_DELETED, FOUND_DELETED),
    _part("core.FileChunk", "sealed", "Files", FOUND_DELETED, FOUND_DELETED),
    _part("core.OutboxMessage", "topic payload last_error", "Messages that wait", FOUND_DELETED, DELETED),
    _part(
        "core.OutgoingMail", "recipients subject sealed_message last_error", "Mails", FOUND_DELETED, DELETED
    ),
    _part("core.Change", "kind key", "Change feed", organization=FEED),
    _part(
        "core.IdempotencyKey",
        "owner key fingerprint sealed_body reference",
        "Stored answers to repeated requests",
        DELETED,
        DELETED,
    ),
)
_AUDIT: Final = (
    _part(
        "audit.AuditEvent",
        "action actor_kind actor_role object_type object_id object_name changes request_id detail_digests",
        "Audit events",
        TRAIL,
        TRAIL,
    ),
    _part("audit.AuditDetail", "subject_ids sealed", "Audit details", FOUND_DELETED, DELETED),
    _part("audit.AuditSeal", "previous_hash hash", "Audit chain", organization=SKELETON),
    _part("audit.AuditCut", "hash mac", "Audit chain", organization=SKELETON),
)
_PEOPLE: Final = (
    _part(
        "tenants.User",
        "password email name time_zone table_columns",
        "Account",
        member=PSEUDONYM,
        organization=ACCOUNTS,
    ),
    _part("tenants.UserSession", "ip user_agent", "Sessions", member=DELETED, organization=ACCOUNTS),
    _part("sessions.Session", "session_key session_data", "Sessions", member=DELETED, organization=ACCOUNTS),
    _part("account.EmailAddress", "email", "Account", member=DELETED, organization=ACCOUNTS),
    _part("account.EmailConfirmation", "key", "Account", member=DELETED, organization=ACCOUNTS),
    _part(
        "mfa.Authenticator",
        "data",
        "Second factors, passkeys and recovery codes",
        member=DELETED,
        organization=ACCOUNTS,
    ),
    _part("tenants.Organization", "name slug", "Organization and projects", AUTHORED, AUTHORED),
    _part("tenants.Project", "name slug", "Organization and projects", AUTHORED, AUTHORED),
    _part("tenants.CustomRole", "name description permissions", "Roles", AUTHORED, AUTHORED),
    _part("tenants.Invitation", "email digest", "Invitations", FOUND_BLANKED, PSEUDONYM),
    _part("tenants.APIKey", "last_used_ip allowed_networks", "Networks of API keys", NOTHING, BLANKED),
    _part("tenants.APIKey", "name key_id digest last_four scopes", "API keys", AUTHORED, AUTHORED),
)
_MONEY: Final = (
    _part("billing.UsageEvent", "meter key source_kind", "Usage records", organization=LEDGER),
    _part("billing.UsageKey", "key content_hash", "Usage records", organization=LEDGER),
    _part("billing.Quota", "meter", "Quotas"),
    _part("billing.AllowanceLease", "holder", "Quotas"),
    _part(
        "providers.ProviderCredential",
        "name base_url sealed_key sealed_headers header_names key_hint model_ids listed_models test_message",
        "Connections and prices",
        AUTHORED,
        AUTHORED,
    ),
    _part("providers.DefaultModel", "reference", "Connections and prices", AUTHORED, AUTHORED),
    _part("providers.PriceOverride", "pattern", "Connections and prices", AUTHORED, AUTHORED),
    _part("providers.ModelAlias", "name target reason", "Connections and prices", AUTHORED, AUTHORED),
    _part("providers.ModelAlias", "created_by", "Names of authors", NOTHING, PSEUDONYM),
)
_DATASETS: Final = (
    _part("datasets.Dataset", "name", "Names and columns of datasets", AUTHORED, AUTHORED),
    _part(
        "datasets.DatasetVersion", "columns layout note", "Names and columns of datasets", AUTHORED, AUTHORED
    ),
    _part(
        "datasets.DatasetRow",
        "variables expected metadata source",
        "Rows of datasets",
        BLANKED,
        FOUND_BLANKED,
    ),
    _part(
        "datasets.DatasetImport",
        "file_name facts mapping variables dataset_name error_code error_message",
        "Uploads that wait to be imported",
        FOUND_DELETED,
        FOUND_DELETED,
    ),
    _part(
        "datasets.DatasetImport", "started_by_kind started_by_name", "Names of authors", NOTHING, PSEUDONYM
    ),
    _part(
        "datasets.DatasetChange",
        "variables expected metadata source",
        "Rows of datasets",
        BLANKED,
        FOUND_BLANKED,
    ),
)
_PROMPTS: Final = (
    _part("prompts.Prompt", "changed_by archived_by", "Names of authors", NOTHING, PSEUDONYM),
    _part("prompts.Prompt", "name description tags", "Prompts", AUTHORED, AUTHORED),
    _part("prompts.PromptVersion", "author_kind author_name", "Names of authors", NOTHING, PSEUDONYM),
    _part(
        "prompts.PromptVersion",
        "messages variables model parameters output_schema tools message content_hash",
        "Versions of prompts",
        VERSIONS,
        VERSIONS,
    ),
    _part("prompts.Label", "moved_by", "Names of authors", NOTHING, PSEUDONYM),
    _part("prompts.Label", "name", "Prompts", AUTHORED, AUTHORED),
    _part("prompts.LabelMove", "author_kind author_name", "Names of authors", NOTHING, PSEUDONYM),
    _part("prompts.LabelMove", "label reason", "Versions of prompts", VERSIONS, VERSIONS),
    _part("prompts.ServingPolicy", "changed_by", "Names of authors", NOTHING, PSEUDONYM),
    _part("prompts.ServingPolicy", "guardrails cache calls limits", "Prompts", AUTHORED, AUTHORED),
    _part("prompts.Draft", "content", "Drafts", AUTHORED, DELETED),
)
_RUNS: Final = (
    _part(
        "runs.Run",
        "end_user unit metadata error_message provider_request_id",
        "Who and what runs were about",
        BLANKED,
        FOUND_BLANKED,
    ),
    _part(
        "runs.Run",
        "prompt_name label connection model request_id error_code error_type usage_origin price_status "
        "price_snapshot finish_reason attempts overrides asked_model cache_kind guardrail_hits",
        "Figures of runs",
    ),
    _part("runs.UncountedRuns", "run_ids", "Figures of runs"),
    _part("runs.RunPayload", "content preview", "Contents of runs", DELETED, FOUND_DELETED),
    _part(
        "runs.CacheEntry",
        "scope_hash embedding signature sealed",
        "Answers kept for questions that mean the same",
        DELETED,
        DELETED,
    ),
    _part("runs.Feedback", "giver giver_name", "Who gave feedback", PSEUDONYM, PSEUDONYM),
    _part("runs.Feedback", "sealed_text", "Words of feedback", BLANKED, FOUND_BLANKED),
)
_BACKGROUND: Final = (
    _part(
        "runs.BackgroundRun",
        "sealed_request",
        "What background runs that wait were asked for",
        DELETED,
        FOUND_DELETED,
    ),
    _part(
        "runs.BackgroundRun", "error_message", "Who and what runs were about", FOUND_BLANKED, FOUND_BLANKED
    ),
    _part("runs.BackgroundRun", "prompt_name model error_code error_type", "Figures of runs"),
)
_WEBHOOKS: Final = (
    _part(
        "notifications.WebhookEndpoint",
        "url description event_types secret_hint sealed_secret sealed_previous_secret",
        "Webhooks",
        AUTHORED,
        AUTHORED,
    ),
    _part(
        "notifications.WebhookDelivery",
        "sealed_body",
        "Deliveries of webhooks",
        FOUND_DELETED,
        FOUND_DELETED,
    ),
    _part("notifications.WebhookDelivery", "event_type", "Kinds of webhooks' events"),
)
_BATCHES: Final = (
    _part("batches.BatchJob", "metadata problem", "Metadata of batches", FOUND_BLANKED, FOUND_BLANKED),
    _part(
        "batches.RowPreparation",
        "source options problem place",
        "Where batches took their rows",
        FOUND_DELETED,
        FOUND_DELETED,
    ),
    _part(
        "batches.RowPreparation", "started_by_kind started_by_name", "Names of authors", NOTHING, PSEUDONYM
    ),
    _part("batches.BatchJob", "started_by_kind started_by_name", "Names of authors", NOTHING, PSEUDONYM),
    _part(
        "batches.BatchJob",
        "name prompt_name label model parameters match_field estimate rerun_choice rerun_rule rerun_problem",
        "Names of batches",
        AUTHORED,
        AUTHORED,
    ),
    _part("batches.BatchJob", "source pause_reason delivery work failure_groups", "Figures of batches"),
    _part(
        "batches.BatchVariant", "label model parameters match_field", "Names of batches", AUTHORED, AUTHORED
    ),
    _part(
        "batches.BatchItem",
        "output parsed error_message input_digest",
        "Results of batches",
        BLANKED,
        FOUND_BLANKED,
    ),
    _part("batches.BatchItem", "error_code finish_reason", "Figures of batches"),
    _part("batches.OpenAIFile", "name", "Files", FOUND_DELETED, FOUND_DELETED),
    _part("batches.OpenAIBatch", "metadata errors", "Metadata of batches", FOUND_BLANKED, FOUND_BLANKED),
    _part("batches.OpenAIBatch", "started_by_kind started_by_name", "Names of authors", NOTHING, PSEUDONYM),
    _part("batches.OpenAIBatch", "model started_by_role", "Figures of batches"),
    _part("batches.OpenAIAnswer", "body", "Results of batches", DELETED, FOUND_DELETED),
    _part("batches.Stream", "name prompt_name options", "Names of batches", AUTHORED, AUTHORED),
    _part(
        "batches.ProviderBatch",
        "connection model kind upload_id external_id not_ours",
        "Names of batches",
        AUTHORED,
        AUTHORED,
    ),
    _part("batches.ProviderBatch", "state error_code error_message", "Figures of batches"),
    _part(
        "batches.ScaleTest",
        "name prompt_name label dataset_name model estimate problem",
        "Names of batches",
        AUTHORED,
        AUTHORED,
    ),
    _part("batches.ScaleTest", "started_by_kind started_by_name", "Names of authors", NOTHING, PSEUDONYM),
    _part("batches.ScaleTest", "stop_reason", "Figures of batches"),
    _part("batches.Pump", "process paces", "Worker processes", organization=NOTHING),
)
_ANALYTICS: Final = (
    _part("analytics.Segment", "source label connection model", "Figures of runs"),
    _part("analytics.Rollup", "errors latency_buckets latency_counts overrides", "Figures of runs"),
    _part("analytics.Incident", "changes", "Figures of runs"),
    _part(
        "analytics.AlertRule",
        "name metric label model source levels recipients problem",
        "Alert rules",
        AUTHORED,
        AUTHORED,
    ),
)
_RETENTION: Final = (
    _part("retention.LegalHold", "reason release_reason", "Reasons of legal holds", AUTHORED, AUTHORED),
    _part("retention.PurgeRun", "position counts", "Counts of purges"),
    _part("retention.OrganizationExport", "position counts", "Exports of everything"),
    _part("retention.ExportPart", "name kind sha256", "Exports of everything", DELETED, DELETED),
    _part(
        "retention.ErasureRequest",
        "subject_digest sealed_subject",
        "Requests of erasure",
        CERTIFICATE,
        CERTIFICATE,
        PLATFORM,
    ),
    _part(
        "retention.ErasureRequest",
        "reason refusal step position counts",
        "Requests of erasure",
        CERTIFICATE,
        CERTIFICATE,
        PLATFORM,
    ),
)
_LIBRARIES: Final = (
    _part(
        "admin.LogEntry",
        "object_id object_repr change_message",
        "Log of staff",
        member=PSEUDONYM,
        organization=NOTHING,
    ),
    _part("auth.Permission", "name codename", "Names of rights", organization=NOTHING),
    _part("auth.Group", "name", "Names of rights", organization=NOTHING),
    _part("contenttypes.ContentType", "app_label model", "Names of tables", organization=NOTHING),
    _part("guardian.UserObjectPermission", "object_pk", "Rights of objects", organization=NOTHING),
    _part("guardian.GroupObjectPermission", "object_pk", "Rights of objects", organization=NOTHING),
)

PARTS: Final = (
    *_RUNS,
    *_BACKGROUND,
    *_WEBHOOKS,
    *_BATCHES,
    *_DATASETS,
    *_CORE,
    *_AUDIT,
    *_PEOPLE,
    *_PROMPTS,
    *_MONEY,
    *_ANALYTICS,
    *_RETENTION,
    *_LIBRARIES,
)

EVERY_KIND: Final = ("end_user", "member", "organization")

# What lies in no table of ours, or is told better in its own words: the line, and the kinds it is true of.
OUTSIDE: Final = (
    (Line("Cached answers in Redis", DELETED), EVERY_KIND),
    (Line("The account of somebody who belongs to another organization too", ANYWHERE), ("member",)),
    (
        Line(
            "Log lines of the processes",
            Rule(
                Treatment.STAYS,
                reason="They hold random ids and addresses of pages without search words.",
                until="until whoever runs the servers deletes them",
            ),
        ),
        EVERY_KIND,
    ),
    (
        Line(
            "Backups of the database",
            Rule(
                Treatment.STAYS,
                reason="A backup can't be edited; erase again after one was restored.",
                until="until whoever runs the servers deletes them",
            ),
        ),
        EVERY_KIND,
    ),
)


def groups(kind: str) -> tuple[list[Group], list[Group]]:
    """What goes and what stays, for pages: data with the same rule together."""
    return inventory.grouped(what_goes(kind)), inventory.grouped(what_stays(kind))


def what_goes(kind: str) -> list[Line]:
    """What an erasure of that kind takes, in words."""
    return _lines(kind, stays=False)


def what_stays(kind: str) -> list[Line]:
    """What an erasure of that kind leaves, with the reason and until when."""
    return _lines(kind, stays=True)


def _lines(kind: str, *, stays: bool) -> list[Line]:
    outside = [line for line, kinds in OUTSIDE if kind in kinds]
    said = [line for line in outside if (line.rule.treatment is Treatment.STAYS) == stays]
    return [*inventory.lines(PARTS, kind, stays=stays), *said]


def parts_of(model: str) -> Iterator[Part]:
    """The parts of one model."""
    return (part for part in PARTS if part.model == model)

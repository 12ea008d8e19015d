"""Planting a marker in every text field of every table, and finding what is left of it.

Driven by the models themselves: a field that nobody thought of is planted, and found, like any other.
"""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import orjson
import psycopg
from django.contrib.postgres.fields import ArrayField
from django.db import connections, models
from psycopg import sql

from apps.core import crypto
from apps.core.change_readers import connection_parameters
from apps.core.files import _place
from apps.core.models import FileChunk, StoredFile
from apps.core.scope import system_scope
from apps.retention.inventory import covered_models, text_fields
from apps.tenants.models import User

Field = tuple[str, str]

# Sealed columns, with the owner of their key: the row's organization, or the platform.
SEALED: Final[dict[Field, str]] = {
    ("runs.RunPayload", "content"): "organization",
    ("runs.RunPayload", "preview"): "organization",
    ("runs.Feedback", "sealed_text"): "organization",
    ("runs.CacheEntry", "sealed"): "organization",
    ("runs.BackgroundRun", "sealed_request"): "organization",
    ("notifications.WebhookDelivery", "sealed_body"): "organization",
    ("notifications.WebhookEndpoint", "sealed_secret"): "organization",
    ("notifications.WebhookEndpoint", "sealed_previous_secret"): "organization",
    ("core.IdempotencyKey", "sealed_body"): "organization",
    ("core.OutgoingMail", "sealed_message"): "platform",
    ("core.FileChunk", "sealed"): "file",
    ("audit.AuditDetail", "sealed"): "organization",
    ("providers.ProviderCredential", "sealed_key"): "organization",
    ("providers.ProviderCredential", "sealed_headers"): "organization",
    ("retention.ErasureRequest", "sealed_subject"): "organization",
}
BODIES: Final[dict[Field, Any]] = {
    ("runs.RunPayload", "preview"): lambda marker: {"input": marker, "output": marker},
    ("runs.RunPayload", "content"): lambda marker: {"messages": [{"role": "user", "content": marker}]},
    ("runs.Feedback", "sealed_text"): lambda marker: {"comment": marker, "correction": marker},
}
# Fields whose words have a form of their own.
SPECIAL: Final[dict[Field, Any]] = {
    ("batches.OpenAIAnswer", "body"): lambda marker: orjson.dumps({"planted": marker}),
    ("runs.Feedback", "giver"): lambda marker: f"told:{marker}",
    ("datasets.DatasetRow", "source"): lambda marker: _json({"planted": marker}),
    ("datasets.DatasetChange", "source"): lambda marker: _json({"planted": marker}),
    ("prompts.PromptVersion", "messages"): lambda marker: _json([{"role": "user", "content": marker}]),
}
# Fields that hold no words, although their type could: planting there would break what the test is about.
NO_WORDS: Final[dict[Field, str]] = {
    ("runs.CacheEntry", "scope_hash"): "a keyed hash",
    ("runs.CacheEntry", "embedding"): "numbers",
    ("runs.CacheEntry", "signature"): "bits of numbers",
    ("audit.AuditDetail", "sealed"): "recorded with the marker, since its digest stands in the chain",
    ("audit.AuditDetail", "subject_ids"): "ids",
    ("audit.AuditEvent", "detail_digests"): "digests",
    ("audit.AuditEvent", "actor_kind"): "one of our words",
    ("audit.AuditSeal", "previous_hash"): "a hash",
    ("audit.AuditSeal", "hash"): "a hash",
    ("audit.AuditCut", "hash"): "a hash",
    ("audit.AuditCut", "mac"): "a hash",
    ("core.DataKey", "wrapped"): "a key",
    ("core.StoredFile", "sha256"): "a hash",
    ("core.IdempotencyKey", "fingerprint"): "a hash",
    ("core.IdempotencyKey", "reference"): "an id",
    ("tenants.User", "password"): "a hash",
    ("tenants.UserSession", "ip"): "an address",
    ("tenants.Invitation", "digest"): "a hash",
    ("tenants.APIKey", "digest"): "a hash",
    ("tenants.APIKey", "last_used_ip"): "an address",
    ("billing.UsageKey", "content_hash"): "a hash",
    ("prompts.PromptVersion", "author_kind"): "one of our words",
    ("prompts.LabelMove", "author_kind"): "one of our words",
    ("batches.BatchJob", "started_by_kind"): "one of our words",
    ("batches.BatchJob", "pause_reason"): "one of our words",
    ("batches.BatchItem", "input_digest"): "a digest, which holds no words",
    ("batches.BatchJob", "source"): "one of our words",
    ("batches.BatchJob", "delivery"): "one of our words",
    ("batches.ProviderBatch", "state"): "one of our words",
    ("batches.OpenAIBatch", "started_by_kind"): "one of our words",
    ("batches.ScaleTest", "started_by_kind"): "one of our words",
    ("batches.RowPreparation", "started_by_kind"): "one of our words",
    ("datasets.DatasetImport", "started_by_kind"): "one of our words",
    ("sessions.Session", "session_data"): "holds the id of who is signed in, signed",
    ("retention.ErasureRequest", "subject_digest"): "a digest",
    ("retention.ErasureRequest", "position"): "where the work stands",
    ("retention.ErasureRequest", "step"): "where the work stands",
    ("retention.ErasureRequest", "counts"): "counts",
    ("retention.ErasureRequest", "sealed_subject"): "sealed by the request itself",
    ("retention.ErasureRequest", "reason"): "refused if it names the subject",
    ("retention.PurgeRun", "position"): "where the work stands",
    ("retention.PurgeRun", "counts"): "counts",
    ("admin.LogEntry", "object_id"): "an id",
    ("analytics.AlertRule", "levels"): "numbers",
    ("analytics.AlertRule", "recipients"): "ids",
    ("analytics.Rollup", "latency_buckets"): "numbers",
    ("analytics.Rollup", "latency_counts"): "numbers",
    ("runs.UncountedRuns", "run_ids"): "ids",
    ("providers.ProviderCredential", "key_hint"): "four characters of a key",
    ("notifications.WebhookEndpoint", "secret_hint"): "four characters of a secret",
    ("tenants.APIKey", "last_four"): "four characters of a key",
    ("sessions.Session", "session_key"): "random",
    ("account.EmailConfirmation", "key"): "random",
    ("core.Change", "kind"): "one of our words",
    ("core.Change", "key"): "ids",
}
UNSEALED: Final = "SELECT {} FROM {} WHERE {}::text = %s AND id NOT IN (SELECT event_id FROM audit_auditseal)"
# Rows of the whole installation, made by migrations.
GLOBAL: Final = ("auth.", "contenttypes.", "guardian.", "batches.Pump")


class Planter:
    """Plants one marker in an organization and in one person's rows, as the owner of the tables."""

    def __init__(self, marker: str, organization_id: UUID, person: User) -> None:
        self.marker, self.organization_id, self.person = marker, organization_id, person
        self.planted: set[Field] = set()

    def plant(self, unless: set[Field]) -> None:
        """Write the marker wherever words fit, but in the fields of `unless`."""
        with OwnerCursor() as cursor:
            for model in covered_models():
                label = model._meta.label
                if label.startswith(GLOBAL):
                    continue
                fields = [
                    field
                    for field in model._meta.local_concrete_fields
                    if field.name in text_fields(model)
                    and (label, field.name) not in NO_WORDS
                    and (label, field.name) not in unless
                ]
                for number, key in enumerate(self._rows(cursor, model)):
                    for field in fields:
                        self._plant_one(cursor, model, field, key, number)

    def _rows(self, cursor: Any, model: type[models.Model]) -> list[Any]:
        found = _condition(model, self.organization_id, self.person)
        if found is None:
            return []
        column, value = found
        # A sealed event is what its seal says; the others get their seal with the marker in them.
        is_event = model._meta.label == "audit.AuditEvent"
        query = sql.SQL(UNSEALED if is_event else "SELECT {} FROM {} WHERE {}::text = %s ORDER BY 1").format(
            sql.Identifier(str(model._meta.pk.column)),
            sql.Identifier(model._meta.db_table),
            sql.Identifier(column),
        )
        return [row[0] for row in cursor.execute(query, [str(value)]).fetchall()]

    def _plant_one(self, cursor: Any, model: type[models.Model], field: Any, key: Any, number: int) -> None:
        value = self._value(cursor, model, field, key, number)
        if value is None:
            return
        cursor.execute(
            sql.SQL("UPDATE {} SET {} = %s WHERE {} = %s").format(
                sql.Identifier(model._meta.db_table),
                sql.Identifier(field.column),
                sql.Identifier(str(model._meta.pk.column)),
            ),
            [value, key],
        )
        self.planted.add((model._meta.label, field.name))

    def _value(self, cursor: Any, model: type[models.Model], field: Any, key: Any, number: int) -> Any:
        name = (model._meta.label, field.name)
        if name in SEALED:
            return self._sealed(cursor, model, name, key)
        if name in SPECIAL:
            return SPECIAL[name](self.marker)
        if isinstance(field, models.JSONField):
            return _json([self.marker] if field.default is list else {"planted": self.marker})
        if isinstance(field, ArrayField):
            return [self.marker] if isinstance(field.base_field, models.CharField) else None
        return self._text(model, field, number)

    def _text(self, model: type[models.Model], field: Any, number: int) -> str | None:
        if isinstance(field, models.EmailField):
            return f"{self.marker}@example.com" if not number else f"{number}{self.marker}@example.com"
        text = f"{self.marker}{number}" if _is_unique(model, field) else self.marker
        fits = field.max_length is None or field.max_length >= len(text)
        return text if fits and isinstance(field, models.CharField | models.TextField) else None

    def _sealed(self, cursor: Any, model: type[models.Model], name: Field, key: Any) -> bytes:
        body = orjson.dumps(BODIES.get(name, lambda marker: {"planted": marker})(self.marker))
        if SEALED[name] == "platform":
            return crypto.seal(
                f"Subject: x\n\n{self.marker}\n".encode(),
                organization_id=None,
                table=model._meta.db_table,
                column=name[1],
                row_id=key,
            )
        with system_scope():
            data_key = crypto.data_key(self.organization_id)
            if SEALED[name] == "file":
                chunk = FileChunk.all_organizations.get(pk=key)
                place = _place(StoredFile.all_organizations.get(pk=chunk.file_id), chunk.number)
                return crypto.seal_bytes(data_key, self.marker.encode(), place)
        place = crypto.associated_data(
            organization_id=self.organization_id, table=model._meta.db_table, column=name[1], row_id=key
        )
        return crypto.seal_bytes(data_key, body, place)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def left_over(marker: str) -> set[Field]:
    """Every field in which the marker still stands, opened where it is sealed and its key is left."""
    found = set()
    crypto.forget_all_data_keys()
    with OwnerCursor() as cursor:
        for model in covered_models():
            for field in model._meta.local_concrete_fields:
                if field.name in text_fields(model) and any(
                    marker in text for text in _texts(cursor, model, field)
                ):
                    found.add((model._meta.label, field.name))
    return found


def _texts(cursor: Any, model: type[models.Model], field: Any) -> Iterator[str]:
    names = {each.column for each in model._meta.local_concrete_fields}
    owner_column = "organization_id" if "organization_id" in names else None
    columns = [model._meta.pk.column, field.column, owner_column or model._meta.pk.column]
    query = sql.SQL("SELECT {} FROM {} WHERE {} IS NOT NULL").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.Identifier(model._meta.db_table),
        sql.Identifier(field.column),
    )
    for key, value, organization_id in cursor.execute(query).fetchall():
        if (model._meta.label, field.name) in SEALED:
            yield _opened(model, field.name, key, bytes(value), organization_id)
        else:
            yield bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)


def _opened(model: type[models.Model], column: str, key: UUID, sealed: bytes, owner_id: Any) -> str:
    where = SEALED[(model._meta.label, column)]
    organization_id = None if where == "platform" else owner_id
    try:
        with system_scope():
            data_key = crypto.existing_data_key(organization_id)
            if where == "file":
                chunk = FileChunk.all_organizations.get(pk=key)
                place = _place(StoredFile.all_organizations.get(pk=chunk.file_id), chunk.number)
            else:
                place = crypto.associated_data(
                    organization_id=organization_id, table=model._meta.db_table, column=column, row_id=key
                )
        return crypto.unseal_bytes(data_key, sealed, place).decode("utf-8", "replace")
    except crypto.SealBroken:
        return ""


def _condition(model: type[models.Model], organization_id: UUID, person: User) -> tuple[str, Any] | None:
    """The column and value that make a row the organization's, or the person's."""
    columns = {field.column for field in model._meta.local_concrete_fields}
    label = model._meta.label
    if label == "tenants.Organization":
        return "id", organization_id
    if label == "tenants.User":
        return "id", person.pk
    if label == "admin.LogEntry":
        return "object_id", person.pk
    if "organization_id" in columns:
        return "organization_id", organization_id
    if "user_id" in columns:
        return "user_id", person.pk
    return None


def _is_unique(model: type[models.Model], field: Any) -> bool:
    in_constraints = {
        name
        for constraint in model._meta.constraints
        if isinstance(constraint, models.UniqueConstraint)
        for name in constraint.fields
    }
    expressed = any(
        isinstance(constraint, models.UniqueConstraint) and constraint.expressions
        for constraint in model._meta.constraints
    )
    return bool(field.unique or field.name in in_constraints or (expressed and field.name == "name"))


class OwnerCursor:
    """A cursor as the tables' owner, past grants, triggers and row security; all of it is put back."""

    def __enter__(self) -> Any:
        settings = connections["owner"].settings_dict
        parameters = connection_parameters() | {"user": settings["USER"], "password": settings["PASSWORD"]}
        self._connection = psycopg.connect(
            **{name: value for name, value in parameters.items() if name != "options"}
        )
        self._tables = [
            row[0]
            for row in self._connection.execute(
                "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
                "AND c.relforcerowsecurity"
            ).fetchall()
        ]
        self._each("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY")
        self._each("ALTER TABLE {} DISABLE TRIGGER USER")
        self._connection.commit()
        return self._connection.cursor()

    def __exit__(self, problem: object, *_: object) -> None:
        if problem is not None:
            self._connection.rollback()
        self._connection.commit()
        self._each("ALTER TABLE {} FORCE ROW LEVEL SECURITY")
        self._each("ALTER TABLE {} ENABLE TRIGGER USER")
        self._connection.commit()
        self._connection.close()

    def _each(self, command: str) -> None:
        for table in self._tables:
            self._connection.execute(sql.SQL(command).format(sql.Identifier(table)))

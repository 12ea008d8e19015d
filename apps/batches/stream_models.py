"""Streams: rows that come one by one, without an end."""

from typing import ClassVar
from uuid import UUID

from django.db import models

from apps.core.models import TenantModel


class Stream(TenantModel):
    """A named place that takes rows at any time and runs a prompt over them.

    Its rows lie in batches, its parts: one a day, and a new one when the label that it follows moves. The
    present part never ends by itself. `options` say how every part runs, as `option_records` keeps them.
    `told_part_id` and `told_through` are how far its webhooks have told of answers.
    """

    PREFIX: ClassVar[str] = "str"

    organization_id: UUID
    project = models.ForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    name = models.CharField(max_length=64)
    prompt_name = models.CharField(max_length=255)
    options = models.JSONField(default=dict)
    livemode = models.BooleanField()
    # By plain id, and None before the first row: parts may be deleted by themselves.
    part_id = models.UUIDField(null=True, blank=True)
    told_part_id = models.UUIDField(null=True, blank=True)
    told_through = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="batches_stream_name_unique")]
        indexes = [models.Index(fields=["organization", "project", "-id"], name="batches_stream_list")]

    def __str__(self) -> str:
        return self.name

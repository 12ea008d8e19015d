"""What the counting has to remember of its own."""

from typing import ClassVar

from django.db import models

from apps.core.models import TenantModel


class KeptFacts(TenantModel):
    """Since when a project's run facts are all there; from before, retention may have deleted some.

    Roll-ups outlive the facts, so a recount compares nothing that began before.
    """

    project_id = models.UUIDField()
    since = models.DateTimeField()

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["organization", "project_id"], name="keptfacts_project")
        ]

    def __str__(self) -> str:
        return f"{self.project_id} since {self.since:%Y-%m-%d %H:%M}"


class CountedHistory(models.Model):
    """How far the runs from before there were roll-ups have been counted: one row for the installation.

    `next_day` is the UTC day that comes next, newest first; None when all of them are counted.
    """

    id = models.SmallIntegerField(primary_key=True)
    next_day = models.DateField(null=True)

    class Meta:
        verbose_name_plural = "counted history"

    def __str__(self) -> str:
        return f"next is {self.next_day:%Y-%m-%d}" if self.next_day else "complete"

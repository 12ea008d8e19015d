"""The rows of a batch that a choice means. Call inside the organization's scope."""

from django.db.models import CharField, Exists, F, Func, OuterRef, QuerySet
from django.db.models.fields.json import KeyTransform

from apps.batches.models import BatchItem, BatchJob, ItemStatus
from apps.batches.numbering import row_of
from apps.batches.rules import RowChoice
from apps.runs.models import Feedback


def chosen_items(job: BatchJob, choice: RowChoice) -> QuerySet[BatchItem]:
    """The finished rows that meet all parts of a choice, unordered."""
    found = BatchItem.objects.filter(batch=job, status__in=[ItemStatus.SUCCEEDED, ItemStatus.FAILED])
    if choice.status:
        found = found.filter(status=choice.status)
    if choice.codes:
        found = found.filter(status=ItemStatus.FAILED, error_code__in=choice.codes)
    if choice.match:
        found = found.filter(matches=choice.match == "match")
    if choice.below is not None:
        value = KeyTransform(choice.field, F("parsed"))
        kind = Func(value, function="jsonb_typeof", output_field=CharField())
        found = found.annotate(value=value, kind=kind).filter(kind="number", value__lt=choice.below)
    if choice.score_below is not None:
        bad = Feedback.objects.filter(run_id=OuterRef("run_id"), score__lt=choice.score_below)
        found = found.filter(Exists(bad))
    return found


def chosen_numbers(job: BatchJob, choice: RowChoice) -> list[int]:
    """The dataset rows behind the chosen rows, each once, in order."""
    rows = chosen_items(job, choice).annotate(row=row_of(job)).values_list("row", flat=True)
    return sorted(set(rows))

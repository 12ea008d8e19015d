"""OpenAI's files and batches that hold a person: files and answers go, metadata is emptied."""

from typing import Final

from django.db.models import Exists, OuterRef

from apps.batches.openai_models import OpenAIAnswer, OpenAIBatch, OpenAIFile
from apps.core.models import StoredFile
from apps.retention.erasure.datasets import delete_files
from apps.retention.erasure.work import Work, walk

ANSWERS_AT_ONCE: Final = 50
"""Each may be of some megabytes."""


def blank_openai_batches(work: Work) -> bool:
    """The next batches' metadata, and what was wrong with their files."""
    rows = OpenAIBatch.all_organizations.filter(organization_id=work.organization_id)
    found, through = walk(work, rows.only("id", "metadata", "errors"))
    holding = [each.pk for each in found if work.texts.stand_in(each.metadata, each.errors)]
    batches = OpenAIBatch.all_organizations.filter(pk__in=holding)
    work.count("batches", batches.update(metadata=None, errors=[]) if holding else 0)
    return through


def delete_openai_answers(work: Work) -> bool:
    """The next answers that wait to be written to a file, where a text is found in them."""
    rows = OpenAIAnswer.all_organizations.filter(organization_id=work.organization_id)
    found, through = walk(work, rows, ANSWERS_AT_ONCE)
    gone = [each.pk for each in found if work.texts.stand_in_json(bytes(each.body))]
    deleted, _ = OpenAIAnswer.all_organizations.filter(pk__in=gone).delete()
    work.count("batch_results", deleted)
    return through


def delete_openai_files(work: Work) -> bool:
    """The next files whose name holds a text, and those whose content was found to hold one and is gone."""
    rows = OpenAIFile.all_organizations.filter(organization_id=work.organization_id)
    content = StoredFile.all_organizations.filter(
        organization_id=work.organization_id, pk=OuterRef("content_id")
    )
    found, through = walk(work, rows.annotate(is_whole=Exists(content)))
    named = [each for each in found if work.texts.stand_in(each.name)]
    delete_files(work, [each.content_id for each in named])
    gone = {each.pk for each in named} | {each.pk for each in found if not each.is_whole}
    OpenAIFile.all_organizations.filter(pk__in=gone).delete()
    return through

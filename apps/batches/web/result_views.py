"""Pages of what came out of a batch: rows, failures, comparison; marks and files."""

from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect

from apps.batches import downloads, queries
from apps.batches.models import BatchItem, BatchJob, BatchVariant
from apps.batches.results import comparing, failures, pages
from apps.batches.results.selecting import ResultFilters
from apps.batches.web import asking, presenting, result_shapes
from apps.batches.web.views import head_context
from apps.core.errors import InvalidRequest, NotFound
from apps.core.numbers import whole_number
from apps.runs import feedback
from apps.runs import queries as run_queries
from apps.runs.services import give_feedback
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView, safe_path

GOOD, BAD = 5, 1
ROWS_SIDE_BY_SIDE = 25


class ResultsView(ProjectView):
    """The rows with what came out; those of a job with several variants side by side, until one is chosen."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    def get(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponse:
        job = queries.get_job(self.project, batch)
        filters = asking.filters_of(request, job)
        variants = queries.variants_of(job)
        columns = presenting.leading_columns(job, pages.input_columns(job))
        context = {
            **head_context(self, job),
            **_filter_context(request, job, filters, variants),
            "columns": columns,
            # Where nothing succeeded, the reasons come before the rows.
            "failures": [] if job.succeeded else presenting.shown_failures(job, failures.failures(job)),
        }
        if variants and filters == ResultFilters() and not context["sort"]:
            return self.render("batches/results.html", context | self._groups(job, variants, columns))
        return self.render(
            "batches/results.html", context | self._rows(job, filters, columns, context["sort"])
        )

    def _rows(self, job: BatchJob, filters: ResultFilters, columns: list[str], sort: str) -> dict[str, Any]:
        after, before = (asking.number_of(self.request, name) for name in ("after", "before"))
        if sort:
            # In another order, a place in the list is how many rows stand before it.
            skip = asking.number_of(self.request, "skip")
            page = pages.sorted_page(job, filters, sort, skip=skip)
            newer, older = ("skip", page.before), ("skip", page.after)
        else:
            page = pages.result_page(job, filters, after=after, before=before)
            newer, older = ("before", page.before), ("after", page.after)
        opened = asking.number_of(self.request, "open")
        rows = presenting.shown_rows(job, page.rows, columns)
        return {
            "rows": rows,
            "opened": opened,
            # Row, output, expected, result, latency, tokens, cost; and the variant where there are several.
            "span": len(columns) + 7 + (job.variant_count > 1),
            "can_mark": self.access.can(Permission.RUNS_CREATE),
            "mark": self._mark(rows, opened),
            "looked_to": page.looked_to,
            "newer": asking.page_link(self.request, *newer),
            "older": asking.page_link(self.request, *older),
        }

    def _groups(self, job: BatchJob, variants: list[BatchVariant], columns: list[str]) -> dict[str, Any]:
        limit = ROWS_SIDE_BY_SIDE * job.variant_count
        after, before = (asking.number_of(self.request, name) for name in ("after", "before"))
        page = pages.result_page(job, after=after, before=before, limit=limit)
        return {
            "groups": result_shapes.side_by_side(job, page.rows, columns),
            "newer": asking.page_link(self.request, "before", page.before),
            "older": asking.page_link(self.request, "after", page.after),
        }

    def _mark(self, rows: list[presenting.ShownRow], opened: int) -> str:
        """What the reader thinks of the opened row's answer: "good", "bad" or nothing yet."""
        run_id = next((row.item.run_id for row in rows if row.item.number == opened), None)
        if run_id is None:
            return ""
        giver = feedback.giver_of(self.access.actor)
        score = feedback.score_by(giver, run_id)
        return "" if score is None or BAD + 1 < score < GOOD - 1 else "good" if score >= GOOD - 1 else "bad"


class MarkView(ProjectView):
    """Mark a row's answer as good or bad: feedback on its run."""

    permissions: ClassVar = {"POST": Permission.RUNS_CREATE}

    def post(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponseRedirect:
        # The row's answer is the run's, which takes the right to see it.
        self.access.require(Permission.BATCHES_VIEW)
        job = queries.get_job(self.project, batch)
        number = whole_number(request.POST.get("row", "")) or 0
        item = BatchItem.objects.filter(batch=job, number=number).first()
        if item is None or item.run_id is None:
            raise NotFound("This row has no answer to mark.", code="row_not_found")
        run = run_queries.get_run_by_id(self.project.id, item.run_id)
        giver = feedback.giver_of(self.access.actor)
        said = feedback.text_by(giver, run)
        score = GOOD if request.POST.get("mark") == "good" else BAD
        give_feedback(giver=giver, run=run, score=score, comment=said.comment, correction=said.correction)
        messages.success(request, f"Row {item.number:,} is marked as {'good' if score == GOOD else 'bad'}.")
        return redirect(safe_path(request, request.POST.get("back", "")))


class FailuresView(ProjectView):
    """The failed rows by reason."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    def get(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponse:
        job = queries.get_job(self.project, batch)
        groups = presenting.shown_failures(job, failures.failures(job))
        return self.render("batches/failures.html", {**head_context(self, job), "failures": groups})


class CompareView(ProjectView):
    """This batch beside another one over the same rows, or two of its variants."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    def get(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponse:
        job = queries.get_job(self.project, batch)
        variants = queries.variants_of(job)
        others = queries.list_comparable(job)
        context = {
            **head_context(self, job),
            "choices": result_shapes.comparison_choices(job, variants, others),
            "variant_choices": result_shapes.variant_choices(variants),
            "kinds": list(comparing.KINDS.items()),
            "comparison": None,
        }
        if not request.GET.get("with"):
            return self.render("batches/compare.html", context)
        try:
            return self.render("batches/compare.html", context | self._compared(job, variants))
        except (InvalidRequest, NotFound) as problem:
            context["problem"] = problem.message
            return self.render("batches/compare.html", context, status=422)

    def _compared(self, job: BatchJob, variants: list[BatchVariant]) -> dict[str, Any]:
        other_id, _, position = self.request.GET["with"].partition(":")
        other = job if other_id == job.public_id else queries.get_job(self.project, other_id)
        second = comparing.side_of(
            other,
            (whole_number(position) or 1) - 1,
            variants if other == job else queries.variants_of(other),
        )
        chosen = asking.number_of(self.request, "variant") or 1
        first = comparing.side_of(job, chosen - 1, variants)
        kind = asking.one_of(self.request, "kind", dict(comparing.KINDS)) or "changed"
        found = comparing.compare(first, second)
        page = comparing.compared_page(first, second, kind, after=asking.number_of(self.request, "after"))
        columns = presenting.leading_columns(job, pages.input_columns(job))
        return {
            "comparison": found,
            "shares": [
                matched / found.expected if found.expected else None
                for matched in (found.first_matched, found.second_matched)
            ],
            "first": result_shapes.side_words(first, job),
            "second": result_shapes.side_words(second, job),
            "kind": kind,
            "compared": result_shapes.compared_rows(first, second, page.rows, columns),
            "columns": columns,
            "looked_to": page.looked_to,
            "older": asking.page_link(self.request, "after", page.after),
            "asked": {"with": self.request.GET["with"], "variant": str(chosen)},
        }


class DownloadView(ProjectView):
    """The results as a file, narrowed as the page is."""

    permissions: ClassVar = {"GET": Permission.BATCHES_VIEW}

    def get(self, request: HttpRequest, batch: str, **kwargs: str) -> HttpResponseBase:
        job = queries.get_job(self.project, batch)
        name = request.GET.get("format", "csv")
        return downloads.download(job, name, asking.filters_of(request, job), method=request.method)


def _filter_context(
    request: HttpRequest, job: BatchJob, filters: ResultFilters, variants: list[BatchVariant]
) -> dict[str, Any]:
    sorts = pages.sort_choices(job)
    asked = request.GET.get("sort", "")
    return {
        "filters": filters,
        "filtered": filters != ResultFilters(),
        "row_statuses": asking.ROW_STATUSES,
        "matches": asking.MATCHES if job.compared else [],
        "sort": asked if asked.removeprefix("-") in sorts else "",
        "sorts": sorts,
        "sort_options": result_shapes.sort_options(sorts),
        "query": asking.query_without(request, "open"),
        "download_query": asking.query_without(request, *asking.PLACES, "sort"),
        "here": request.get_full_path(),
        "variants": result_shapes.variant_totals(request, job, variants),
    }

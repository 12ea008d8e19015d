"""What a batch would do, before it is started: which rows lack a variable, what it will cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.db import connection

from apps.batches.estimating import Estimate, Model, estimate, find_model, together
from apps.batches.work import ChunkedWork, MultiRowWork, RowWork, Work
from apps.core.errors import InvalidRequest
from apps.datasets.models import DatasetVersion
from apps.datasets.row_storage import demand_rows
from apps.prompts import queries as prompt_queries
from apps.prompts.types import ResolvedPrompt
from apps.runs.inputs import check_parameters
from apps.runs.types import PromptReference
from apps.tenants.models import Project

EXAMPLES: Final = 5
MOST_VARIANTS: Final = 10


@dataclass(frozen=True, slots=True)
class MissingVariable:
    """A required variable that some rows lack; `examples` are the first row numbers."""

    name: str
    rows: int
    examples: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class VariantChoice:
    """One of the things that are to run over every row: a version by number or label (neither: the batch's
    own), a model ("": the version's) and parameters over the batch's."""

    number: int | None = None
    label: str | None = None
    model: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedVariant:
    """A variant with everything found."""

    prompt: ResolvedPrompt
    label: str
    model: Model
    parameters: dict[str, Any]
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch that could be started: everything is found, nothing is written.

    `rows` are run for each of `variants`, going round the first `source_rows` of the dataset version as often
    as it takes. `estimate` is for all.
    """

    dataset_version: DatasetVersion
    source_rows: int
    rows: int
    variants: tuple[PlannedVariant, ...]
    missing: tuple[MissingVariable, ...]
    estimate: Estimate
    work: Work
    reduce: ResolvedPrompt | None = None

    @property
    def prompt(self) -> ResolvedPrompt:
        """The first variant's prompt."""
        return self.variants[0].prompt

    @property
    def model(self) -> Model:
        """The first variant's model."""
        return self.variants[0].model

    @property
    def total(self) -> int:
        """How many answers there will be."""
        return self.rows * len(self.variants)


def plan_batch(
    *,
    project: Project,
    prompt: PromptReference,
    dataset_version: DatasetVersion,
    model: str = "",
    parameters: Mapping[str, Any] | None = None,
    row_limit: int | None = None,
    livemode: bool = True,
    variants: Sequence[VariantChoice] = (),
    work: Work | None = None,
    rows_follow: bool = False,
    repeat_to: int | None = None,
) -> Plan:
    """Find what a batch would use and look through its rows, unless they follow later.

    `variants` are all that run over a row; none means the prompt as it is named. `repeat_to` is how many rows
    to run if the dataset's are to be gone through again and again. Raises NotFound for an unknown prompt or
    connection, InvalidRequest for a prompt without a model, an empty dataset, a required variable that no
    row has (``variable_missing``), variants that are too many or the same (``variants_invalid``), or work
    that the prompt is not made for (``work_invalid``); Conflict for deleted rows.
    """
    source_rows = min(dataset_version.row_count, row_limit or dataset_version.row_count)
    rows = repeat_to or source_rows
    if source_rows < 1 and not rows_follow:
        raise InvalidRequest("The dataset has no rows.", code="dataset_empty", param="dataset_version")
    demand_rows(dataset_version)
    work = work or RowWork()
    choices = _choices(prompt, model, dict(parameters or {}), variants)
    reduce, work = _reduce(project, work)
    found = []
    for choice in choices:
        resolved = prompt_queries.resolve(
            project_id=project.id, name=prompt.name, label=choice.label, number=choice.number
        )
        _check_work(work, resolved, reduce)
        chosen = find_model(project.id, choice.model or resolved.model, livemode=livemode)
        given = dict(choice.parameters)
        expected = estimate(resolved, dataset_version, chosen, rows, given, work, reduce)
        found.append(PlannedVariant(resolved, choice.label or "", chosen, given, expected))
    _check_different(found)
    missing = (
        missing_variables([each.prompt for each in found], dataset_version, source_rows, work) if rows else ()
    )
    _refuse_unusable(missing, source_rows, dataset_version)
    return Plan(
        dataset_version,
        source_rows,
        rows,
        tuple(found),
        missing,
        together([each.estimate for each in found]),
        work,
        reduce,
    )


def _choices(
    prompt: PromptReference, model: str, parameters: dict[str, Any], variants: Sequence[VariantChoice]
) -> list[VariantChoice]:
    if len(variants) > MOST_VARIANTS:
        message = f"A batch has at most {MOST_VARIANTS} variants."
        raise InvalidRequest(message, code="variants_invalid", param="variants")
    own = VariantChoice(prompt.number, prompt.label, model, parameters)
    choices = []
    for choice in variants or [own]:
        named = choice.number is not None or choice.label is not None
        choices.append(
            VariantChoice(
                choice.number if named else own.number,
                choice.label if named else own.label,
                choice.model or own.model,
                {**own.parameters, **choice.parameters},
            )
        )
    for choice in choices:
        check_parameters(choice.parameters)
    return choices


def _check_different(found: Sequence[PlannedVariant]) -> None:
    if len({each.model.sandbox for each in found}) > 1:
        message = "The sandbox and real models can't be mixed: their money can't be added up."
        raise InvalidRequest(message, code="variants_invalid", param="variants")
    seen: list[tuple[int, str, dict[str, Any]]] = []
    for each in found:
        same = (each.prompt.number, each.model.reference, each.parameters)
        if same in seen:
            message = f"Version {each.prompt.number} with {each.model.reference} stands there twice."
            raise InvalidRequest(message, code="variants_invalid", param="variants")
        seen.append(same)


def _reduce(project: Project, work: Work) -> tuple[ResolvedPrompt | None, Work]:
    """The prompt that makes one answer of the pieces', fixed to the version of now."""
    if not isinstance(work, ChunkedWork):
        return None, work
    told = work.reduce
    found = prompt_queries.resolve(
        project_id=project.id, name=told.prompt, label=told.label, number=told.version
    )
    return found, replace(work, reduce=replace(told, version=found.number, label=None))


def _check_work(work: Work, prompt: ResolvedPrompt, reduce: ResolvedPrompt | None) -> None:
    if isinstance(work, MultiRowWork):
        _demand_variable(prompt, work.variable, "json", "work.variable")
        _refuse_others(prompt, work.variable)
    if isinstance(work, ChunkedWork):
        _demand_variable(prompt, work.variable, "text", "work.variable")
        if reduce is not None:
            _demand_variable(reduce, work.reduce.variable, "json", "work.reduce.variable")


def _refuse_others(prompt: ResolvedPrompt, name: str) -> None:
    """A call of several rows has nothing else to fill a variable with."""
    others = [each["name"] for each in _required(prompt) if each["name"] != name]
    if others:
        message = f"A call of several rows fills '{name}' only; '{others[0]}' would stay empty."
        raise InvalidRequest(message, code="work_invalid", param="work.variable")


def _required(prompt: ResolvedPrompt) -> list[dict[str, Any]]:
    return [
        variable
        for variable in prompt.variables
        if variable.get("required", True) and variable.get("default") is None
    ]


def _demand_variable(prompt: ResolvedPrompt, name: str, kind: str, param: str) -> None:
    declared = next((each for each in prompt.variables if each.get("name") == name), None)
    if declared is None or declared.get("type", "text") != kind:
        message = (
            f"Version {prompt.number} of {prompt.name} has no variable '{name}' of type {kind}, "
            "which this way of working needs."
        )
        raise InvalidRequest(message, code="work_invalid", param=param)


def missing_variables(
    prompts: Sequence[ResolvedPrompt], dataset_version: DatasetVersion, rows: int, work: Work | None = None
) -> tuple[MissingVariable, ...]:
    """Required variables without default that some of the first `rows` rows lack; one query."""
    if isinstance(work, MultiRowWork):
        return ()
    required = list({each["name"]: each for prompt in prompts for each in _required(prompt)}.values())
    if not required:
        return ()
    counted = ", ".join(
        "count(*) FILTER (WHERE {0}), (array_agg(number ORDER BY number) FILTER (WHERE {0}))[1:%s]".format(
            _lacks(variable)
        )
        for variable in required
    )
    parameters: list[Any] = []
    for variable in required:
        parameters += [variable["name"], variable["name"], EXAMPLES]
    where = "organization_id = %s AND dataset_version_id = %s AND number <= %s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {counted} FROM datasets_datasetrow WHERE {where}",
            [*parameters, dataset_version.organization_id, dataset_version.id, rows],
        )
        found = cursor.fetchone()
    return _missing(required, found)


def _lacks(variable: dict[str, Any]) -> str:
    # As prompts.rendering reads it: an empty text is a value for text, and none for the other types.
    if variable.get("type", "text") == "text":
        return "variables ->> %s IS NULL"
    return "coalesce(btrim(variables ->> %s), '') = ''"


def _missing(required: Sequence[dict[str, Any]], found: Sequence[Any]) -> tuple[MissingVariable, ...]:
    pairs = zip(required, found[::2], found[1::2], strict=True)
    return tuple(
        MissingVariable(variable["name"], rows, tuple(examples)) for variable, rows, examples in pairs if rows
    )


def _refuse_unusable(missing: Sequence[MissingVariable], rows: int, dataset_version: DatasetVersion) -> None:
    nowhere = next((variable for variable in missing if variable.rows == rows), None)
    if nowhere is not None:
        columns = ", ".join(str(column.get("name")) for column in dataset_version.columns) or "none"
        raise InvalidRequest(
            f"No row has a value for the variable '{nowhere.name}'. Columns of the dataset: {columns}.",
            code="variable_missing",
            param=f"variables.{nowhere.name}",
        )

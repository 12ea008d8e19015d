"""Reads of prompts. Call inside the organization's scope."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db.models import F, Prefetch, Q, QuerySet

from apps.core.errors import NotFound
from apps.core.models import find
from apps.prompts import library
from apps.prompts.models import Draft, Label, LabelMove, Prompt, PromptVersion, ServingPolicy
from apps.prompts.serving import SECTIONS, ServingRules, parse_rules
from apps.prompts.types import LATEST, PRODUCTION, ResolvedPrompt, VersionContent
from apps.tenants.models import Project, User


def list_prompts(project: Project, *, search: str = "") -> QuerySet[Prompt]:
    """A project's prompts without archived ones; `search` looks into names, descriptions and tags.

    ``library.filter_prompts`` narrows in more ways.
    """
    return library.filter_prompts(project, search=search)


def find_prompt(project: Project, reference: str) -> Prompt:
    """A prompt by its public id or its name. Raises NotFound."""
    prompts = Prompt.objects.filter(project=project)
    found = find(prompts, reference) or prompts.filter(name=reference).first()
    if found is None:
        raise _no_prompt(reference)
    return found


def versions_of(prompt: Prompt) -> QuerySet[PromptVersion]:
    """Every version of a prompt."""
    return PromptVersion.objects.filter(prompt=prompt)


def timeline(prompt: Prompt, *, upto: int | None, limit: int) -> QuerySet[PromptVersion]:
    """The newest versions, without their content, from the number `upto` downwards."""
    versions = PromptVersion.objects.filter(prompt=prompt).order_by("-number")
    if upto is not None:
        versions = versions.filter(number__lte=upto)
    return versions.defer("messages", "variables", "parameters", "output_schema", "tools")[:limit]


def get_version(prompt: Prompt, number: int) -> PromptVersion:
    """One version of a prompt. Raises NotFound."""
    try:
        return PromptVersion.objects.get(prompt=prompt, number=number)
    except (PromptVersion.DoesNotExist, OverflowError):
        raise _no_version(prompt.name, number) from None


def newest_versions(prompts: Iterable[Prompt]) -> QuerySet[PromptVersion]:
    """The newest version of each prompt, with its content."""
    ids = [prompt.pk for prompt in prompts]
    return PromptVersion.objects.filter(prompt_id__in=ids, number=F("prompt__latest_number"))


def latest_version(prompt: Prompt) -> PromptVersion:
    """The newest version; every prompt has one."""
    return get_version(prompt, prompt.latest_number)


def get_label(prompt: Prompt, name: str) -> Label:
    """A label with its version loaded. Raises NotFound."""
    try:
        return Label.objects.select_related("version").get(prompt=prompt, name=name)
    except Label.DoesNotExist:
        raise _no_label(prompt.name, name) from None


def labels_with_versions(prompt: Prompt) -> QuerySet[Label]:
    """A prompt's labels with their versions loaded."""
    return Label.objects.select_related("version").filter(prompt=prompt)


def version_at(prompt: Prompt, *, label: str | None = None, number: int | None = None) -> PromptVersion:
    """The version that a number or a label names; ``latest`` is the newest. Raises NotFound."""
    if number is not None:
        return get_version(prompt, number)
    if label is None or label == LATEST:
        return latest_version(prompt)
    return get_label(prompt, label).version


def labels_of(prompts: Iterable[Prompt]) -> dict[UUID, dict[str, int]]:
    """For each prompt its labels and their numbers, production first, then by name; one query."""
    found: dict[UUID, dict[str, int]] = {prompt.pk: {} for prompt in prompts}
    rows = Label.objects.filter(prompt_id__in=list(found)).values_list("prompt_id", "name", "version__number")
    for prompt_id, name, number in sorted(rows, key=lambda row: _label_order(row[1])):
        found[prompt_id][name] = number
    return found


def with_labels(prompts: QuerySet[Prompt]) -> QuerySet[Prompt]:
    """The same prompts with their labels loaded along, for ``loaded_labels``; one query more a list."""
    labels = Label.objects.select_related("version")
    return prompts.prefetch_related(Prefetch("labels", queryset=labels))


def loaded_labels(prompt: Prompt) -> dict[str, int]:
    """Labels and numbers of a prompt that came through ``with_labels``; production first, then by name."""
    labels = sorted(prompt.labels.all(), key=lambda label: _label_order(label.name))
    return {label.name: label.version.number for label in labels}


def _label_order(name: str) -> tuple[bool, str]:
    return name != PRODUCTION, name


def label_history(prompt: Prompt, label: str = "") -> QuerySet[LabelMove]:
    """The steps of one label, or of all labels of a prompt."""
    moves = LabelMove.objects.filter(prompt=prompt)
    return moves.filter(label=label) if label else moves


def moved_labels(prompt: Prompt) -> list[str]:
    """The names of all labels that a prompt has or had, production first."""
    names = LabelMove.objects.filter(prompt=prompt).values_list("label", flat=True).distinct()
    return sorted(names, key=_label_order)


def rollback_target(prompt: Prompt, label: str) -> int | None:
    """The number that a rollback of a label would go to: where it stood before the move in force.

    Undone moves do not count, so rolling back twice goes two moves back. None when there is nothing
    to go back to.
    """
    return rollback_targets(prompt, label).get(label)


def rollback_targets(prompt: Prompt, label: str = "") -> dict[str, int | None]:
    """For every label that a prompt has or had where a rollback would go; one query."""
    steps = label_history(prompt, label).order_by("label", "sequence")
    stacks: dict[str, list[int | None]] = {}
    for name, kind, to_number in steps.values_list("label", "kind", "to_number"):
        stack = stacks.setdefault(name, [])
        if kind == LabelMove.Kind.ROLLBACK:
            stack.pop()
        else:
            stack.append(to_number)
    return {name: stack[-2] if len(stack) > 1 else None for name, stack in stacks.items()}


def resolve(*, project_id: UUID, name: str, label: str | None, number: int | None) -> ResolvedPrompt:
    """A prompt by name or public id at a version number or a label; neither means ``production``.

    The answer holds until the change feed names ``("label", <prompt id>)`` or ``("prompt", <prompt id>)``.
    Raises NotFound ``prompt_not_found``, ``version_not_found`` or ``label_not_found``.
    """
    prompt, version, label = served_version(project_id=project_id, name=name, label=label, number=number)
    return resolved(prompt, version, label=label)


def served_version(
    *, project_id: UUID, name: str, label: str | None, number: int | None
) -> tuple[Prompt, PromptVersion, str | None]:
    """What `resolve` resolves: the prompt, its version, and the label that led there."""
    prompts = Prompt.objects.filter(project_id=project_id)
    prompt = find(prompts, name) or prompts.filter(name=name).first()
    if prompt is None:
        raise _no_prompt(name)
    if number is None and label is None:
        label = PRODUCTION
    return prompt, version_at(prompt, label=label, number=number), label


def resolved(prompt: Prompt, version: PromptVersion, *, label: str | None = None) -> ResolvedPrompt:
    """A prompt at one of its versions as plain data."""
    content = version_content(version)
    return ResolvedPrompt(
        prompt_id=prompt.pk,
        name=prompt.name,
        version_id=version.pk,
        number=version.number,
        label=label,
        kind=prompt.kind,
        messages=content.messages,
        variables=content.variables,
        model=content.model,
        parameters=content.parameters,
        output_schema=content.output_schema,
        tools=content.tools,
        serving=serving_rules(prompt.project_id, prompt.pk),
    )


def serving_rules(project_id: UUID, prompt_id: UUID | None = None) -> ServingRules:
    """How a prompt of a project is served, or without a prompt its plain models.

    It holds until the change feed names ``("prompt", <prompt id>)`` or ``(SERVING_CHANGED, <project id>)``.
    """
    of_either = Q(prompt=None) | Q(prompt=prompt_id) if prompt_id else Q(prompt=None)
    found = ServingPolicy.objects.filter(of_either, project_id=project_id)
    # The prompt's own comes first.
    ordered = sorted(found, key=lambda policy: policy.prompt_id is None)
    return parse_rules(*({name: getattr(policy, name) for name in SECTIONS} for policy in ordered))


def serving_policy(project: Project, prompt: Prompt | None = None) -> ServingPolicy | None:
    """What a prompt, or without one the project, says itself of how it is served, if it ever did."""
    return ServingPolicy.objects.filter(project=project, prompt=prompt).first()


def version_content(version: PromptVersion) -> VersionContent:
    """What a version holds, as plain data."""
    return VersionContent(
        messages=tuple(version.messages),
        variables=tuple(version.variables),
        model=version.model,
        parameters=version.parameters,
        output_schema=version.output_schema,
        tools=tuple(version.tools),
    )


def find_draft(prompt: Prompt, user_id: UUID) -> Draft | None:
    """What a person has typed into the editor of a prompt and not saved."""
    return Draft.objects.filter(prompt=prompt, user_id=user_id).first()


def my_drafts(user: User, project: Project) -> QuerySet[Draft]:
    """A person's drafts in a project with their prompts loaded, the last typed first.

    Filter by ``prompt__in=grants.visible_prompts(…)`` where a person may have lost the right to see one.
    """
    drafts = Draft.objects.filter(user=user, prompt__project=project, prompt__archived_at=None)
    return drafts.select_related("prompt").order_by("-updated_at", "-pk")


def labels_by_number(labels: Mapping[str, int]) -> dict[int, list[str]]:
    """The labels that point at each version number."""
    found: dict[int, list[str]] = {}
    for name, number in labels.items():
        found.setdefault(number, []).append(name)
    return found


def _no_prompt(name: str) -> NotFound:
    return NotFound(f"There is no prompt '{name}'.", code="prompt_not_found", param="name")


def _no_version(name: str, number: int) -> NotFound:
    message = f"The prompt '{name}' has no version {number}."
    return NotFound(message, code="version_not_found", param="version")


def _no_label(name: str, label: str) -> NotFound:
    message = f"The prompt '{name}' has no label '{label}'."
    if label.removeprefix("v").isdecimal():
        message += f" A version is named by its number: {name}#{label.removeprefix('v')}."
    return NotFound(message, code="label_not_found", param="label")

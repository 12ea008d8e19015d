"""The first five minutes: which steps are done, told by what exists, and the sample prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import Case, Exists, Value, When
from django.utils import timezone

from apps.audit.actor import Actor
from apps.core import ids
from apps.core.scope import organization_scope
from apps.prompts.models import Prompt
from apps.prompts.services import create_prompt
from apps.prompts.services.properties import set_tags
from apps.prompts.types import VersionContent
from apps.providers.queries import effective_credentials
from apps.runs.models import Run, RunSource
from apps.runs.playground_once import run_once
from apps.runs.queries import first_id_of
from apps.runs.types import PromptReference, RunRequest, RunResult
from apps.tenants.models import APIKey, Project

WAITING: Final = timedelta(hours=1)
SAMPLE_TAG: Final = "sample"
SAMPLE_NAME: Final = "sample/review-sentiment"
SAMPLE_VARIABLES: Final = {
    "review": "The kettle boils fast and looks lovely, but the lid already leaks after two weeks."
}
SAMPLE_CONTENT: Final = VersionContent(
    messages=(
        {"role": "system", "content": "You read reviews for a small shop. Answer in JSON."},
        {
            "role": "user",
            "content": "What does this customer feel, and what should the shop do next?\n\n{{ review }}",
        },
    ),
    variables=({"name": "review", "type": "text", "required": True},),
    model="sandbox/standard",
    parameters={"temperature": 0},
    output_schema={
        "type": "object",
        "properties": {
            "sentiment": {"type": "string", "enum": ["Positive", "Negative", "Neutral"]},
            "next_step": {"type": "string", "description": "One step that the shop should take next."},
        },
        "required": ["sentiment", "next_step"],
        "additionalProperties": False,
    },
)


@dataclass(frozen=True)
class Step:
    """One line of the checklist."""

    key: str
    title: str
    done: bool
    optional: bool = False
    current: bool = False


@dataclass(frozen=True)
class Progress:
    """Which first steps a project has taken. ``prompt`` is the first that isn't the sample."""

    sample: Prompt | None
    prompt: Prompt | None
    tried: bool
    has_provider: bool
    has_key: bool
    has_call: bool

    @property
    def steps(self) -> Sequence[Step]:
        """The checklist; the first step that has to be done and isn't is the current one."""
        all_steps = (
            ("try", "Try the demo prompt", self.tried, False),
            ("prompt", "Create a prompt", self.prompt is not None, False),
            ("provider", "Add a provider key", self.has_provider, True),
            ("key", "Make an API key", self.has_key, False),
            ("call", "Make your first call", self.has_call, False),
        )
        current = next((key for key, _, done, optional in all_steps if not done and not optional), "")
        return [Step(*each, current=each[0] == current) for each in all_steps]

    @property
    def done(self) -> int:
        """How many steps are done."""
        return sum(step.done for step in self.steps)

    @property
    def complete(self) -> bool:
        """Whether nothing is left that has to be done."""
        return all(step.done or step.optional for step in self.steps)


def progress_of(project: Project) -> Progress:
    """The first steps of a project in three queries, each one stopping at its first row."""
    prompts = Prompt.objects.filter(project=project)
    sample, first = prompts.filter(name=SAMPLE_NAME), prompts.exclude(name=SAMPLE_NAME).order_by("id")
    found = {prompt.name == SAMPLE_NAME: prompt for prompt in sample[:1].union(first[:1], all=True)}
    keys = APIKey.objects.filter(project=project)
    runs = Run.objects.filter(project_id=project.id)
    called = Exists(runs.filter(source=RunSource.GATEWAY))
    told = Project.objects.filter(pk=project.pk).values_list(
        Exists(runs),
        Exists(keys.filter(revoked_at=None)),
        # A key that was never used spares the search for its calls among a batch's many runs.
        Case(When(Exists(keys.exclude(last_used_at=None)), then=called), default=Value(False)),
    )
    tried, has_key, has_call = told.get()
    return Progress(
        sample=found.get(True),
        prompt=found.get(False),
        tried=tried,
        has_provider=bool(effective_credentials(project.id)),
        has_key=has_key,
        has_call=has_call,
    )


def first_call_of(project: Project) -> Run | None:
    """The newest call by an API key in the last hour, if there is one.

    Asked every two seconds by a waiting page, so it looks no further back: keys are marked as used later.
    """
    since = first_id_of(timezone.now() - WAITING)
    runs = Run.objects.filter(project_id=project.id, pk__gte=since, source=RunSource.GATEWAY)
    return runs.order_by("-id").first()


def sample_runs(project: Project, sample: Prompt | None) -> int:
    """How many runs the sample prompt has."""
    return Run.objects.filter(project_id=project.id, prompt_id=sample.pk).count() if sample else 0


def try_sample(*, actor: Actor, project: Project, organization_id: UUID) -> RunResult:
    """Run the sample prompt on the sandbox, and make it first where it is missing. Opens scopes of its own.

    Raises core errors for what the engine refuses.
    """
    with organization_scope(organization_id):
        sample = _ensure_sample(actor, project)
    run_id = ids.uuid7()
    return run_once(
        RunRequest(
            run_id=run_id,
            organization_id=organization_id,
            project_id=project.id,
            source="playground",
            source_id=actor.id,
            usage_key=f"run:{run_id}",
            prompt=PromptReference(sample.name, number=1),
            variables=SAMPLE_VARIABLES,
            metadata={SAMPLE_TAG: "true"},
            request_id=actor.request_id or "",
            # Never anything but the sandbox, whatever the prompt was changed to.
            livemode=False,
        )
    )


def _ensure_sample(actor: Actor, project: Project) -> Prompt:
    found = Prompt.objects.filter(project=project, name=SAMPLE_NAME).first()
    if found is not None:
        return found
    sample = create_prompt(
        actor=actor,
        project=project,
        name=SAMPLE_NAME,
        kind=Prompt.Kind.CHAT,
        description="Sample: what a customer feels, as JSON. Change it, copy it or archive it.",
        content=SAMPLE_CONTENT,
        message="Sample",
    )
    return set_tags(actor=actor, prompt=sample, tags=[SAMPLE_TAG])

"""A call for each row: what most batches do."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.batches.claims import Claim, JobFacts
from apps.batches.completion import answer_of_row
from apps.batches.shapes.types import Hands
from apps.runs.types import PromptReference, RunRequest


@dataclass(frozen=True, slots=True)
class Rows:
    """One run a row."""

    job: JobFacts

    def group(self, claims: Sequence[Claim]) -> list[tuple[Claim, ...]]:
        """Every row by itself."""
        return [(claim,) for claim in claims]

    async def work(self, claims: tuple[Claim, ...], hands: Hands) -> Sequence[Claim]:
        """Run the prompt with the row's variables."""
        (claim,) = claims
        await hands.execute(request_for(self.job, claim), answer_of_row(claim))
        return ()


def request_for(job: JobFacts, claim: Claim) -> RunRequest:
    """The run that a row stands for."""
    variant = job.variants[claim.variant]
    return RunRequest(
        run_id=claim.run_id,
        organization_id=claim.organization_id,
        project_id=job.project_id,
        source="batch",
        source_id=job.id,
        usage_key=claim.usage_key,
        prompt=PromptReference(job.prompt_name, number=variant.version_number),
        model=variant.model,
        variables=claim.variables,
        overrides=variant.parameters,
        metadata={"row": str(claim.number)},
        api_key_id=job.api_key_id,
        livemode=job.livemode,
    )

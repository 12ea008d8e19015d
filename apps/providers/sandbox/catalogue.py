"""The sandbox's models, with made-up prices that are never summed with real money."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from apps.providers.types import SANDBOX

CONNECTION: Final = SANDBOX


@dataclass(frozen=True, slots=True)
class SandboxModel:
    """A made-up model; prices in US dollars for a million tokens."""

    id: str
    label: str
    sentences: int
    input_price: Decimal
    output_price: Decimal

    @property
    def reference(self) -> str:
        """How a prompt names it."""
        return f"{CONNECTION}/{self.id}"


MODELS: Final = (
    SandboxModel("standard", "Sandbox standard", 3, Decimal("0.50"), Decimal("1.50")),
    SandboxModel("fast", "Sandbox fast", 1, Decimal("0.10"), Decimal("0.30")),
)


def find_model(model_id: str) -> SandboxModel | None:
    """The sandbox model of that id, None when there is none."""
    return next((model for model in MODELS if model.id == model_id), None)

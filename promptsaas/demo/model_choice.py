"""Offering a real model where the environment holds a key for one."""

from typing import Final

from promptsaas.demo.options import DemoOptions
from promptsaas.demo.seeding import Seeded

OPENAI_MODEL: Final = "openai/gpt-4.1-mini"


def offer_model(seeded: Seeded, options: DemoOptions) -> str:
    """The model to run: as told, OpenAI's if a key is there and the user agrees, else ""."""
    return options.model

"""Offering a real model where the environment holds a key for one."""

import sys
from typing import Final

from django.conf import settings

from apps.core.errors import PromptsaasError
from apps.core.scope import organization_scope
from apps.providers.queries import credentials_of, unsealed
from apps.providers.services import create_connection, update_connection
from promptsaas.demo.options import DemoError, DemoOptions
from promptsaas.demo.seeding import Seeded

CONNECTION: Final = "openai"
BASE_URL: Final = "https://api.openai.com/v1"
OPENAI_MODEL: Final = "openai/gpt-4.1-mini"


def offer_model(seeded: Seeded, options: DemoOptions) -> str:
    """The model to run: as told, OpenAI's if a key is there and the user agrees, else "".

    Money is never spent without a yes: without a terminal to ask on, the answer is no.
    """
    if settings.OPENAI_API_KEY:
        _connect(seeded)
    if options.model or not settings.OPENAI_API_KEY:
        return options.model
    if options.once or not sys.stdin.isatty():
        print(f"OPENAI_API_KEY is set: MODEL={OPENAI_MODEL} runs the job on that model.", flush=True)
        return ""
    answer = input(f"OPENAI_API_KEY is set. Run the job on {OPENAI_MODEL}, for real money? [y/N] ")
    return OPENAI_MODEL if answer.strip().lower() in {"y", "yes"} else ""


def _connect(seeded: Seeded) -> None:
    try:
        with organization_scope(seeded.organization.id):
            _store_key(seeded)
    except PromptsaasError as error:
        raise DemoError(f"OPENAI_API_KEY: {error.message}") from error


def _store_key(seeded: Seeded) -> None:
    key = settings.OPENAI_API_KEY
    credential = credentials_of(seeded.project.id).filter(name=CONNECTION).first()
    if credential is None:
        create_connection(
            actor=seeded.actor,
            project=seeded.project,
            name=CONNECTION,
            base_url=BASE_URL,
            api_key=key,
            # The first is offered; the second lets MODEL= name any other.
            models=[OPENAI_MODEL.partition("/")[2], "*"],
        )
    elif unsealed(credential).api_key != key:
        update_connection(actor=seeded.actor, credential=credential, api_key=key)

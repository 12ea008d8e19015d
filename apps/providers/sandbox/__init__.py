"""The sandbox: a provider that needs no key, is deterministic, costs nothing real and is always marked so."""

from apps.providers.sandbox.catalogue import CONNECTION, MODELS, SandboxModel, find_model
from apps.providers.sandbox.provider import SandboxProvider

__all__ = ["CONNECTION", "MODELS", "SandboxModel", "SandboxProvider", "find_model"]

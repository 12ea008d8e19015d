"""The gateway's ASGI application; with WEB_UPSTREAM set, the whole public origin."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "promptsaas.settings")
os.environ.setdefault("PROMPTSAAS_PROCESS", "gateway")
# Before the gateway's modules, which import models.
django.setup()

from django.conf import settings  # noqa: E402

from apps.gateway.application import application as gateway  # noqa: E402
from promptsaas.asgi_types import Application  # noqa: E402
from promptsaas.metrics.listening import listen_beside_siblings  # noqa: E402
from promptsaas.router import Router  # noqa: E402


def _application() -> Application:
    upstream = os.environ.get("WEB_UPSTREAM", "")
    return Router(gateway, upstream, settings.TRUSTED_PROXIES) if upstream else gateway


application: Application = _application()
listen_beside_siblings()

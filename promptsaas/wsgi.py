"""Django as a WSGI application: dashboard, API, admin."""

import os

from django.core.wsgi import get_wsgi_application

from promptsaas.metrics.listening import listen_beside_siblings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "promptsaas.settings")
os.environ.setdefault("PROMPTSAAS_PROCESS", "web")

application = get_wsgi_application()
listen_beside_siblings()

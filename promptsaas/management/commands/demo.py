"""``manage.py help demo``; the command itself is in ``promptsaas.light_commands``."""

from promptsaas.light_django_command import LightDjangoCommand


class Command(LightDjangoCommand):
    name = "demo"

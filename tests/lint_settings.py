"""The settings with the migration linter, which is no part of the product."""

from promptsaas.settings import *  # noqa: F403
from promptsaas.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "django_migration_linter"]

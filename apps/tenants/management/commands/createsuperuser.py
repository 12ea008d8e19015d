"""``manage.py createsuperuser``: the first member of staff, whose address counts as confirmed.

Without a mail server the link that confirms an address is read in the admin, where this person couldn't go.
"""

from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.management.commands.createsuperuser import Command as DjangoCommand
from django.db import transaction

from apps.audit import services as audit
from apps.audit.actor import SYSTEM
from apps.tenants.models import User


class Command(DjangoCommand):
    help = "Make a user with every right in the admin. The e-mail address counts as confirmed."

    def handle(self, *args: Any, **options: Any) -> None:
        # No transaction around it all: it would stay open while somebody types.
        before = set(User.objects.filter(is_superuser=True).values_list("pk", flat=True))
        super().handle(*args, **options)
        for user in User.objects.filter(is_superuser=True).exclude(pk__in=before):
            with transaction.atomic():
                EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
                audit.record(actor=SYSTEM, action="user.made_superuser", target=user, organization_id=None)

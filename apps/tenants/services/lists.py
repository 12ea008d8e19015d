"""A user's choice of columns. It is no change of anybody's data, so it is not audited."""

from collections.abc import Sequence

from django.db import transaction

from apps.audit.actor import Actor
from apps.core.tables import table_named
from apps.tenants.models import User


def choose_columns(*, actor: Actor, user: User, table: str, columns: Sequence[str] | None) -> User:
    """Keep which columns of a list a user wants to see; None goes back to the usual ones.

    Raises NotFound for an unknown list, InvalidRequest for an unknown column.
    """
    known = table_named(table)
    wanted = None if columns is None else known.check_columns(columns)
    with transaction.atomic():
        locked = User.objects.select_for_update(of=("self",)).get(pk=user.pk)
        kept = {key: value for key, value in locked.table_columns.items() if key != table}
        user.table_columns = kept if wanted is None else {**kept, table: wanted}
        user.save(update_fields=["table_columns"])
    return user

"""dj-stripe's copies of what Stripe knows; nothing of ours depends on them, so they can be let go of."""

from collections.abc import Collection

from django.apps import apps
from django.db import connection
from django.db.models import JSONField, Model, Q, TextField
from django.db.models.functions import Cast

_TELLING = ("stripe_data", "data", "body", "headers")


def forget(texts: Collection[str]) -> int:
    """Delete every copied row in which one of these ids or addresses stands; returns how many went.

    Reads the copies from beginning to end: it is for the rare moment when somebody is erased.
    """
    gone = 0
    for model in apps.get_app_config("djstripe").get_models():
        columns = [field.name for field in model._meta.concrete_fields if field.name in _TELLING]
        if columns and texts and _has_rows(model):
            gone += _forget_in(model, columns, texts)
    return gone


def _has_rows(model: type[Model]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT EXISTS (SELECT FROM "{model._meta.db_table}")')  # noqa: S608 - a table's name
        return bool(cursor.fetchone()[0])


def _forget_in(model: type[Model], columns: list[str], texts: Collection[str]) -> int:
    rows, named = model._default_manager.all(), Q()
    for column in columns:
        field = model._meta.get_field(column)
        if isinstance(field, JSONField):
            rows = rows.annotate(**{f"{column}_text": Cast(column, TextField())})
            column = f"{column}_text"
        for text in texts:
            named |= Q(**{f"{column}__icontains": text})
    return rows.filter(named).delete()[0]

from django.db import migrations

from billing.ledger import functions


class Migration(migrations.Migration):
    """A clock that was set back across a month's edge starts no month's spending anew."""

    dependencies = [("ledger", "0011_limit_changes")]

    operations = [*functions.load()]

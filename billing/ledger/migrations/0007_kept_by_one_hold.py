from django.db import migrations

from billing.ledger import functions


class Migration(migrations.Migration):
    """A lapsed credit is kept by one hold, one from before it lapsed, and that hold uses it first."""

    dependencies = [("ledger", "0006_counted_by_the_ledger")]

    operations = [*functions.load()]

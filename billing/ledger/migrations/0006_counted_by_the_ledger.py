from django.db import migrations

from billing.ledger import functions


class Migration(migrations.Migration):
    """Which period a plan's count is in is decided by the ledger's clock."""

    dependencies = [("ledger", "0005_planned_once")]

    operations = [*functions.load()]

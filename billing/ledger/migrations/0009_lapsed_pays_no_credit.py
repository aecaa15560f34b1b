from django.db import migrations

from billing.ledger import functions


class Migration(migrations.Migration):
    """What had lapsed before work was accepted does not pay for it, nor for a debt, while a hold keeps it."""

    dependencies = [("ledger", "0008_reports")]

    operations = [*functions.load()]

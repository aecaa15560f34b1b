from django.db import migrations


class Migration(migrations.Migration):
    """What the modes add to the ledger."""

    dependencies = [("ledger", "0004_usage_days")]

    operations: list[migrations.RunSQL] = []

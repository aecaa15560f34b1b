from django.db import migrations


class Migration(migrations.Migration):
    """Usage by day, folded from the ledger."""

    dependencies = [("ledger", "0003_core")]

    operations: list[migrations.RunSQL] = []

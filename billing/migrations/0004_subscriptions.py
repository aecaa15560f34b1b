from django.db import migrations


class Migration(migrations.Migration):
    """Plan periods, invoices, credit limits."""

    dependencies = [("billing", "0003_limits")]

    operations: list[migrations.RunSQL] = []

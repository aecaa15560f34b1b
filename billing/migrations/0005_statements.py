from django.db import migrations


class Migration(migrations.Migration):
    """Monthly statements and reconciliation runs."""

    dependencies = [("billing", "0004_subscriptions")]

    operations: list[migrations.RunSQL] = []

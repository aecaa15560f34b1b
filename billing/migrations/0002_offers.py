from django.db import migrations


class Migration(migrations.Migration):
    """Prices of single accounts: offers and price locks."""

    dependencies = [("billing", "0001_payments")]

    operations: list[migrations.RunSQL] = []

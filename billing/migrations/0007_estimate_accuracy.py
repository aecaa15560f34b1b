from django.db import migrations


class Migration(migrations.Migration):
    """How far estimates are off."""

    dependencies = [("billing", "0006_price_notices")]

    operations: list[migrations.RunSQL] = []

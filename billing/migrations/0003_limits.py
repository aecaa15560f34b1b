from django.db import migrations


class Migration(migrations.Migration):
    """Spending limits as a policy, notices sent once."""

    dependencies = [("billing", "0002_offers")]

    operations: list[migrations.RunSQL] = []

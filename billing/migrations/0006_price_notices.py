from django.db import migrations


class Migration(migrations.Migration):
    """Notices of price changes."""

    dependencies = [("billing", "0005_statements")]

    operations: list[migrations.RunSQL] = []

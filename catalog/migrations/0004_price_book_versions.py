from django.db import migrations


class Migration(migrations.Migration):
    """Drafts and effective dates of price books."""

    dependencies = [("catalog", "0003_plan_ranks")]

    operations: list[migrations.RunSQL] = []

from django.db import migrations


class Migration(migrations.Migration):
    """Rules of profiles that need columns."""

    dependencies = [("catalog", "0004_price_book_versions")]

    operations: list[migrations.RunSQL] = []

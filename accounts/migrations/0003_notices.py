from django.db import migrations


class Migration(migrations.Migration):
    """What people want to be told."""

    dependencies = [("accounts", "0002_keys_tell_the_web")]

    operations: list[migrations.RunSQL] = []

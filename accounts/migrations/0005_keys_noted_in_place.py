from django.db import migrations


class Migration(migrations.Migration):
    """When a key was last used is written beside it: with room on its page no index has to be told."""

    dependencies = [("accounts", "0004_keys_limited_together")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE accounts_apikey SET (fillfactor = 60)", "ALTER TABLE accounts_apikey RESET (fillfactor)"
        )
    ]

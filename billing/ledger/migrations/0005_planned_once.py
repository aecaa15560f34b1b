from django.db import migrations, models

from billing.ledger import functions


class Migration(migrations.Migration):
    """The hot calls are planned once a session; rotated keys share a limit; a clock set back reorders nothing."""

    dependencies = [("accounts", "0004_keys_limited_together"), ("ledger", "0004_usage_days")]

    operations = [
        migrations.AddField("balance", "posted_at", models.DateTimeField(blank=True, null=True)),
        *functions.load(),
    ]

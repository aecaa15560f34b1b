from django.db import migrations, models

from billing.ledger import exact_json, functions


class Migration(migrations.Migration):
    """Phases are reported while the work goes on, and each report shrinks the hold."""

    dependencies = [("ledger", "0007_kept_by_one_hold")]

    operations = [
        migrations.AddField("charge", "reports", models.JSONField(decoder=exact_json.Decoder, null=True)),
        *functions.load(),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_keys_limited_together'),
        ('ledger', '0009_lapsed_pays_no_credit'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='usageday',
            index=models.Index(fields=['day'], name='usageday_day'),
        ),
    ]

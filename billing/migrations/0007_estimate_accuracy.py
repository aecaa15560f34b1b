from django.db import migrations, models


class Migration(migrations.Migration):
    """How far estimates are off."""

    dependencies = [("billing", "0006_price_notices")]

    operations = [
        migrations.CreateModel(
            name="EstimateAccuracy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("profile", models.CharField(max_length=40)),
                ("model", models.CharField(max_length=80)),
                ("operation", models.CharField(max_length=80)),
                ("count", models.BigIntegerField()),
                ("estimated", models.BigIntegerField()),
                ("effective", models.BigIntegerField()),
                ("median", models.BigIntegerField()),
                ("p95", models.BigIntegerField()),
                ("excess", models.BigIntegerField()),
                ("over_hold", models.BigIntegerField()),
                ("measured_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "estimate accuracy",
                "verbose_name_plural": "estimate accuracy",
                "ordering": ["profile", "model", "operation"],
                "constraints": [
                    models.UniqueConstraint(fields=("profile", "model", "operation"), name="accuracy_unique")
                ],
            },
        ),
    ]

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    """Usage by day, folded from the ledger."""

    dependencies = [("ledger", "0003_core")]

    operations = [
        migrations.CreateModel(
            name="UsageDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("unit", models.CharField(max_length=8)),
                ("kind", models.CharField(max_length=16)),
                ("model", models.CharField(blank=True, max_length=80)),
                ("operation", models.CharField(blank=True, max_length=80)),
                ("api_key_id", models.UUIDField(null=True)),
                ("count", models.BigIntegerField()),
                ("amount", models.BigIntegerField()),
                ("first_seq", models.BigIntegerField()),
                ("last_seq", models.BigIntegerField()),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.billingaccount",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "day", "unit", "kind", "model", "operation", "api_key_id"),
                        name="usageday_unique",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageFold",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="accounts.billingaccount",
                    ),
                ),
                ("seq", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.RunSQL(
            "ALTER TABLE ledger_usageday SET (fillfactor = 80);"
            "ALTER TABLE ledger_usagefold SET (fillfactor = 50);"
        ),
        migrations.RunSQL((SQL / "usage_days.sql").read_text()),
    ]

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).resolve().parent.parent / "sql"

# Nobody wrote down what held before: it is known from now on.
KNOWN_FROM_NOW = """
INSERT INTO ledger_limitchange (account_id, since, credit_limit, spend_limit)
SELECT account_id, ledger_now(), credit_limit, spend_limit FROM ledger_balance
"""


class Migration(migrations.Migration):
    """What an account may owe and spend, and since when."""

    dependencies = [("ledger", "0010_usage_days_by_day")]

    operations = [
        migrations.CreateModel(
            name="LimitChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since", models.DateTimeField(null=True)),
                ("credit_limit", models.BigIntegerField()),
                ("spend_limit", models.BigIntegerField(null=True)),
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
                "indexes": [models.Index(fields=["account", "since"], name="limitchange_account")],
            },
        ),
        migrations.RunSQL((SQL / "limit_changes.sql").read_text(), migrations.RunSQL.noop),
        migrations.RunSQL(KNOWN_FROM_NOW, migrations.RunSQL.noop),
    ]

from django.db import migrations, models
from django.db.models import Q

from billing.ledger import functions

CHAIN_THE_PAST = """
ALTER TABLE ledger_transaction DISABLE TRIGGER transaction_append_only;
UPDATE ledger_transaction t SET hash = c.hash FROM (
    SELECT id, ledger_chain(decode(repeat('00', 32), 'hex'), ledger_text(p))
                   OVER (PARTITION BY account_id ORDER BY seq) AS hash
      FROM ledger_transaction p) c
 WHERE c.id = t.id;
ALTER TABLE ledger_transaction ENABLE TRIGGER transaction_append_only;
UPDATE ledger_balance b SET head = t.hash FROM ledger_transaction t WHERE t.account_id = b.account_id AND t.seq = b.seq;
"""


class Migration(migrations.Migration):
    """Histories become hash chains; limits of single keys, counts by the month, holds placed without the lock."""

    dependencies = [("ledger", "0002_functions")]

    operations = [
        migrations.AddField("balance", "comfort_above", models.BigIntegerField(blank=True, null=True)),
        migrations.AddField("balance", "comfort_share", models.BigIntegerField(blank=True, null=True)),
        migrations.AddField("balance", "head", models.BinaryField(default=bytes(32), max_length=32)),
        migrations.AddField(
            "transaction",
            "hash",
            models.BinaryField(default=bytes(32), max_length=32),
            preserve_default=False,
        ),
        migrations.AddField("charge", "estimate", models.BigIntegerField(null=True)),
        migrations.AddField("charge", "count_scope", models.CharField(max_length=80, null=True)),
        migrations.AddIndex(
            "charge",
            models.Index(
                fields=["account", "count_scope", "authorized_at"],
                condition=Q(count_scope__isnull=False),
                name="charge_counted",
            ),
        ),
        migrations.CreateModel(
            name="UnfoldedHold",
            fields=[
                ("charge_id", models.UUIDField(primary_key=True, serialize=False)),
                ("account_id", models.UUIDField(db_index=True)),
                ("amount", models.BigIntegerField()),
                ("month", models.DateField()),
            ],
        ),
        migrations.CreateModel(
            name="KeyLimit",
            fields=[
                ("api_key_id", models.UUIDField(primary_key=True, serialize=False)),
                ("account_id", models.UUIDField(db_index=True)),
                ("monthly", models.BigIntegerField(blank=True, null=True)),
                ("budget", models.BigIntegerField(blank=True, null=True)),
                ("month", models.DateField(blank=True, null=True)),
                ("month_accepted", models.BigIntegerField(default=0)),
                ("accepted", models.BigIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(monthly__gte=0, budget__isnull=True)
                        | Q(monthly__isnull=True, budget__gte=0)
                        | Q(monthly__gte=0, budget__gte=0),
                        name="key_limit_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=Q(month_accepted__gte=0, accepted__gte=0), name="key_spend_not_negative"
                    ),
                ],
            },
        ),
        *functions.load(),
        migrations.RunSQL(CHAIN_THE_PAST),
    ]

import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


BEGIN = """
INSERT INTO billing_statuschange (subject, subject_id, was, became, at)
SELECT 'payment', id, '', status, clock_timestamp() FROM billing_payment
 UNION ALL SELECT kind, id, '', status, clock_timestamp() FROM billing_reversal
 UNION ALL SELECT 'invoice', id, '', status, clock_timestamp() FROM billing_invoice
 UNION ALL SELECT 'subscription', id, '', status, clock_timestamp() FROM billing_subscription
"""


class Migration(migrations.Migration):
    """Every change of status is noted from here on; what is there already begins with how it stands."""

    dependencies = [("billing", "0007_estimate_accuracy")]

    operations = [
        migrations.CreateModel(
            name="StatusChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("subject", models.CharField(max_length=12)),
                ("subject_id", models.UUIDField()),
                ("was", models.CharField(blank=True, max_length=40)),
                ("became", models.CharField(max_length=40)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "ordering": ("id",),
            },
        ),
        migrations.AddField(
            model_name="invoice",
            name="paid_transaction_id",
            field=models.UUIDField(blank=True, null=True, unique=True),
        ),
        migrations.AlterField(
            model_name="spendinglimit",
            name="updated_at",
            field=models.DateTimeField(default=django.utils.timezone.now),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="invoice",
            trigger=pgtrigger.compiler.Trigger(
                name="status_noted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n            IF TG_OP = 'INSERT' OR OLD.status <> NEW.status THEN\n                INSERT INTO billing_statuschange (subject, subject_id, was, became, at)\n                VALUES ('invoice', NEW.id, CASE TG_OP WHEN 'UPDATE' THEN OLD.status ELSE '' END, NEW.status, ledger_now());\n            END IF;\n            RETURN NULL;\n        ",
                    hash="bbfc48097a8765fd90af605e2e208c88367cc81e",
                    operation='INSERT OR UPDATE OF "status"',
                    pgid="pgtrigger_status_noted_2957a",
                    table="billing_invoice",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="payment",
            trigger=pgtrigger.compiler.Trigger(
                name="status_noted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n            IF TG_OP = 'INSERT' OR OLD.status <> NEW.status THEN\n                INSERT INTO billing_statuschange (subject, subject_id, was, became, at)\n                VALUES ('payment', NEW.id, CASE TG_OP WHEN 'UPDATE' THEN OLD.status ELSE '' END, NEW.status, ledger_now());\n            END IF;\n            RETURN NULL;\n        ",
                    hash="3a3aa8c44863300adea8f7dcc1b47fa11bac5ef4",
                    operation='INSERT OR UPDATE OF "status"',
                    pgid="pgtrigger_status_noted_b1d01",
                    table="billing_payment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="reversal",
            trigger=pgtrigger.compiler.Trigger(
                name="status_noted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n            IF TG_OP = 'INSERT' OR OLD.status <> NEW.status THEN\n                INSERT INTO billing_statuschange (subject, subject_id, was, became, at)\n                VALUES (NEW.kind, NEW.id, CASE TG_OP WHEN 'UPDATE' THEN OLD.status ELSE '' END, NEW.status, ledger_now());\n            END IF;\n            RETURN NULL;\n        ",
                    hash="19949fdb7daf57d02c91642580cbd2aa186eed7f",
                    operation='INSERT OR UPDATE OF "status"',
                    pgid="pgtrigger_status_noted_90de3",
                    table="billing_reversal",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="subscription",
            trigger=pgtrigger.compiler.Trigger(
                name="status_noted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n            IF TG_OP = 'INSERT' OR OLD.status <> NEW.status THEN\n                INSERT INTO billing_statuschange (subject, subject_id, was, became, at)\n                VALUES ('subscription', NEW.id, CASE TG_OP WHEN 'UPDATE' THEN OLD.status ELSE '' END, NEW.status, ledger_now());\n            END IF;\n            RETURN NULL;\n        ",
                    hash="92295ce55d930567256a34bace3f598e6e6518f5",
                    operation='INSERT OR UPDATE OF "status"',
                    pgid="pgtrigger_status_noted_80895",
                    table="billing_subscription",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="statuschange",
            index=models.Index(fields=["subject_id", "id"], name="statuschange_of"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="statuschange",
            trigger=pgtrigger.compiler.Trigger(
                name="statuschange_kept",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="02636fd513f665f8235b5e398951d6a96b11885a",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_statuschange_kept_15c78",
                    table="billing_statuschange",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.RunSQL(BEGIN, migrations.RunSQL.noop),
    ]

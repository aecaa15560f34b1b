import config.ids
import django.db.models.deletion
import django.db.models.expressions
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


EARLIER = """
INSERT INTO billing_adjustmentrequest
       (id, account_id, nonce, micros, unit, reason, approve_above, status, asked_by_id, asked_at, decided_because, transaction_id)
SELECT t.id, t.account_id, substr(t.key, 12)::uuid, t.amount, t.unit, left(t.description, 200), abs(t.amount),
       'earlier', u.id, t.created_at, '', t.id
  FROM ledger_transaction t LEFT JOIN accounts_user u ON u.id::text = t.details ->> 'staff'
 WHERE t.kind = 'adjustment' AND t.key ~ '^adjustment:[0-9a-f]{32}$'
"""


class Migration(migrations.Migration):
    """Adjustments above a limit need two people from here on; those already posted are noted as such."""

    dependencies = [
        ("accounts", "0004_keys_limited_together"),
        ("billing", "0011_refund_requests"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AdjustmentRequest",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=config.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("nonce", models.UUIDField(editable=False, unique=True)),
                ("micros", models.BigIntegerField(verbose_name="amount")),
                ("unit", models.CharField(max_length=8)),
                ("reason", models.CharField(max_length=200)),
                ("approve_above", models.BigIntegerField(verbose_name="limit then")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Needs approval"),
                            ("approved", "Approved"),
                            ("declined", "Declined"),
                            ("within", "Within the limit"),
                            ("earlier", "Before limits"),
                        ],
                        max_length=8,
                    ),
                ),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("decided_at", models.DateTimeField(null=True)),
                ("decided_because", models.CharField(blank=True, max_length=200)),
                ("transaction_id", models.UUIDField(null=True, unique=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjustments",
                        to="accounts.billingaccount",
                    ),
                ),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "pending")), fields=["id"], name="adjustment_pending"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("micros", 0), _negated=True), name="adjustment_of_something"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("asked_by__isnull", True),
                            ("decided_by__isnull", True),
                            models.Q(("asked_by", models.F("decided_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="adjustment_approved_by_another",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("status__in", ("within", "approved", "earlier")),
                                ("transaction_id__isnull", False),
                            ),
                            models.Q(
                                ("status__in", ("pending", "declined")), ("transaction_id__isnull", True)
                            ),
                            _connector="OR",
                        ),
                        name="adjustment_posted_fits",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("asked_by__isnull", False),
                                ("decided_at__isnull", False),
                                ("decided_by__isnull", False),
                                ("status__in", ("approved", "declined")),
                            ),
                            models.Q(
                                ("decided_at__isnull", True),
                                ("decided_by__isnull", True),
                                ("status__in", ("pending", "within", "earlier")),
                            ),
                            _connector="OR",
                        ),
                        name="adjustment_decided_fits",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "within"), _negated=True),
                            models.Q(
                                (
                                    "micros__gte",
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("approve_above"), "*", models.Value(-1)
                                    ),
                                ),
                                ("micros__lte", models.F("approve_above")),
                            ),
                            _connector="OR",
                        ),
                        name="adjustment_alone_within_limit",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "declined"), _negated=True),
                            models.Q(("decided_because", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="adjustment_declined_says_why",
                    ),
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="adjustmentrequest",
            trigger=pgtrigger.compiler.Trigger(
                name="adjustment_transitions",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE _is_valid_transition BOOLEAN;",
                    func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{pending:approved,pending:declined}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                    hash="c569ce4df39f69b3dc3992d7d4adac82d9903224",
                    operation="UPDATE",
                    pgid="pgtrigger_adjustment_transitions_d26de",
                    table="billing_adjustmentrequest",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="adjustmentrequest",
            trigger=pgtrigger.compiler.Trigger(
                name="status_noted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\n            IF TG_OP = 'INSERT' OR OLD.status <> NEW.status THEN\n                INSERT INTO billing_statuschange (subject, subject_id, was, became, at)\n                VALUES ('adjustment', NEW.id, CASE TG_OP WHEN 'UPDATE' THEN OLD.status ELSE '' END, NEW.status, ledger_now());\n            END IF;\n            RETURN NULL;\n        ",
                    hash="34c84c0a64648f8a98a6158d48b53fd927763a20",
                    operation='INSERT OR UPDATE OF "status"',
                    pgid="pgtrigger_status_noted_84738",
                    table="billing_adjustmentrequest",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="adjustmentrequest",
            trigger=pgtrigger.compiler.Trigger(
                name="adjustment_is_kept",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="65eb06146da962eba12f8c3abf30fd0a7b599b30",
                    operation="DELETE",
                    pgid="pgtrigger_adjustment_is_kept_24232",
                    table="billing_adjustmentrequest",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="adjustmentrequest",
            trigger=pgtrigger.compiler.Trigger(
                name="adjustment_asked_stays",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."account_id" IS DISTINCT FROM (NEW."account_id") OR OLD."approve_above" IS DISTINCT FROM (NEW."approve_above") OR OLD."asked_at" IS DISTINCT FROM (NEW."asked_at") OR OLD."asked_by_id" IS DISTINCT FROM (NEW."asked_by_id") OR OLD."micros" IS DISTINCT FROM (NEW."micros") OR OLD."nonce" IS DISTINCT FROM (NEW."nonce") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."unit" IS DISTINCT FROM (NEW."unit"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="234096cb2d8f706e6e346198b844c643e8d8e55e",
                    operation="UPDATE",
                    pgid="pgtrigger_adjustment_asked_stays_a3069",
                    table="billing_adjustmentrequest",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.RunSQL(EARLIER, migrations.RunSQL.noop),
    ]

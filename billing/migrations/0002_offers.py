import django.db.models.deletion
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

import config.ids


class Migration(migrations.Migration):
    """Prices of single accounts: offers and price locks."""

    dependencies = [
        ("accounts", "0001_initial"),
        ("billing", "0001_payments"),
        ("catalog", "0003_plan_ranks"),
    ]

    operations = [
        migrations.CreateModel(
            name="Offer",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=config.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "starts_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, help_text="From this moment (UTC)."
                    ),
                ),
                (
                    "ends_at",
                    models.DateTimeField(
                        blank=True, help_text="Until this moment (UTC); empty: open.", null=True
                    ),
                ),
                ("reason", models.CharField(help_text="Why; staff read it later.", max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("ended_at", models.DateTimeField(editable=False, null=True)),
                ("end_reason", models.CharField(blank=True, editable=False, max_length=200)),
                (
                    "name",
                    models.CharField(
                        help_text="What the customer reads on lines: Volume offer.", max_length=80
                    ),
                ),
                ("only_models", models.JSONField(blank=True, default=list)),
                ("only_operations", models.JSONField(blank=True, default=list)),
                ("unit", models.CharField(max_length=8)),
                (
                    "committed",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Requests a month the customer commits to; it decides the tier.",
                        null=True,
                    ),
                ),
                ("tiers", models.JSONField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offers",
                        to="accounts.billingaccount",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "ended_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="OfferMonth",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField(help_text="First day of the calendar month (UTC) it decides.")),
                ("quantity", models.PositiveIntegerField()),
                ("counted_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "offer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="months", to="billing.offer"
                    ),
                ),
            ],
            options={
                "ordering": ("-month",),
            },
        ),
        migrations.CreateModel(
            name="PriceLock",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=config.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "starts_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, help_text="From this moment (UTC)."
                    ),
                ),
                (
                    "ends_at",
                    models.DateTimeField(
                        blank=True, help_text="Until this moment (UTC); empty: open.", null=True
                    ),
                ),
                ("reason", models.CharField(help_text="Why; staff read it later.", max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("ended_at", models.DateTimeField(editable=False, null=True)),
                ("end_reason", models.CharField(blank=True, editable=False, max_length=200)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="price_locks",
                        to="accounts.billingaccount",
                    ),
                ),
                (
                    "book",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.pricebook",
                        verbose_name="price book version",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "ended_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.AddIndex(
            model_name="offer",
            index=models.Index(fields=["account"], name="offer_account"),
        ),
        migrations.AddConstraint(
            model_name="offer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ends_at__isnull", True), ("ends_at__gt", models.F("starts_at")), _connector="OR"
                ),
                name="offer_ends_after",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="offer",
            trigger=pgtrigger.compiler.Trigger(
                name="bump_version",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\nINSERT INTO catalog_catalogversion AS v (id, token) VALUES (1, gen_random_uuid())\n    ON CONFLICT (id) DO UPDATE SET token = excluded.token;\nNOTIFY portal_catalog;\nRETURN NULL;\n",
                    hash="8b1c92acbe0d2119521055ba9e7db82fdd2b8f81",
                    level="STATEMENT",
                    operation="INSERT OR UPDATE OR DELETE",
                    pgid="pgtrigger_bump_version_b55cf",
                    table="billing_offer",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="offer",
            trigger=pgtrigger.compiler.Trigger(
                name="terms_stay",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."account_id" IS DISTINCT FROM (NEW."account_id") OR OLD."committed" IS DISTINCT FROM (NEW."committed") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."ends_at" IS DISTINCT FROM (NEW."ends_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."only_models" IS DISTINCT FROM (NEW."only_models") OR OLD."only_operations" IS DISTINCT FROM (NEW."only_operations") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."starts_at" IS DISTINCT FROM (NEW."starts_at") OR OLD."tiers" IS DISTINCT FROM (NEW."tiers") OR OLD."unit" IS DISTINCT FROM (NEW."unit"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="b16a849855041487a9ba6f000456c378418c14f4",
                    operation="UPDATE",
                    pgid="pgtrigger_terms_stay_d16f1",
                    table="billing_offer",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="offer",
            trigger=pgtrigger.compiler.Trigger(
                name="end_stays",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."ended_at" IS NOT NULL AND OLD."ended_at" IS DISTINCT FROM (NEW."ended_at"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="bda83124cc4f66cb6673f514df629a71c3a14bb1",
                    operation="UPDATE",
                    pgid="pgtrigger_end_stays_c4683",
                    table="billing_offer",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="offermonth",
            constraint=models.UniqueConstraint(fields=("offer", "month"), name="offermonth_once"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="offermonth",
            trigger=pgtrigger.compiler.Trigger(
                name="bump_version",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\nINSERT INTO catalog_catalogversion AS v (id, token) VALUES (1, gen_random_uuid())\n    ON CONFLICT (id) DO UPDATE SET token = excluded.token;\nNOTIFY portal_catalog;\nRETURN NULL;\n",
                    hash="604a8b92c45345dc6ea1cf705a496a7323eed757",
                    level="STATEMENT",
                    operation="INSERT OR UPDATE OR DELETE",
                    pgid="pgtrigger_bump_version_27ef3",
                    table="billing_offermonth",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="offermonth",
            trigger=pgtrigger.compiler.Trigger(
                name="counted_once",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="035afc7556c5f4e4d1f408ad63c88de1b8ad952c",
                    operation="UPDATE",
                    pgid="pgtrigger_counted_once_9253b",
                    table="billing_offermonth",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="pricelock",
            index=models.Index(fields=["account"], name="pricelock_account"),
        ),
        migrations.AddConstraint(
            model_name="pricelock",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("starts_at")), ("ends_at__isnull", False)),
                name="pricelock_has_an_end",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pricelock",
            trigger=pgtrigger.compiler.Trigger(
                name="bump_version",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\nINSERT INTO catalog_catalogversion AS v (id, token) VALUES (1, gen_random_uuid())\n    ON CONFLICT (id) DO UPDATE SET token = excluded.token;\nNOTIFY portal_catalog;\nRETURN NULL;\n",
                    hash="0558b09b84a419dd4be76dc137eb0d842dcb6d33",
                    level="STATEMENT",
                    operation="INSERT OR UPDATE OR DELETE",
                    pgid="pgtrigger_bump_version_c25e6",
                    table="billing_pricelock",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pricelock",
            trigger=pgtrigger.compiler.Trigger(
                name="terms_stay",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."account_id" IS DISTINCT FROM (NEW."account_id") OR OLD."book_id" IS DISTINCT FROM (NEW."book_id") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."ends_at" IS DISTINCT FROM (NEW."ends_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."starts_at" IS DISTINCT FROM (NEW."starts_at"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="24574d8c99a7cd217ec71f99a021613177b3ca69",
                    operation="UPDATE",
                    pgid="pgtrigger_terms_stay_28cba",
                    table="billing_pricelock",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pricelock",
            trigger=pgtrigger.compiler.Trigger(
                name="end_stays",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."ended_at" IS NOT NULL AND OLD."ended_at" IS DISTINCT FROM (NEW."ended_at"))',
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="5979e42293e0dfcb4295372470a683b4a5e5761b",
                    operation="UPDATE",
                    pgid="pgtrigger_end_stays_bf489",
                    table="billing_pricelock",
                    when="BEFORE",
                ),
            ),
        ),
    ]

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import config.ids


class Migration(migrations.Migration):
    """Spending limits as a policy, marks of a low balance, notices sent once."""

    dependencies = [
        ("accounts", "0003_notices"),
        ("billing", "0002_offers"),
    ]

    operations = [
        migrations.CreateModel(
            name="SpendingLimit",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="spending_limit",
                        serialize=False,
                        to="accounts.billingaccount",
                    ),
                ),
                (
                    "mode",
                    models.CharField(choices=[("hard", "Stops requests"), ("alert", "Alert only")], max_length=5),
                ),
                ("amount", models.BigIntegerField()),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "updated_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount__gte", 0)), name="spendinglimit_not_negative"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BalanceAlert",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="balance_alert",
                        serialize=False,
                        to="accounts.billingaccount",
                    ),
                ),
                ("below", models.BigIntegerField()),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("below__gte", 0)), name="balancealert_not_negative"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=config.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("limit_threshold", "Part of the limit used"),
                            ("limit_stopped", "Limit stopped a request"),
                            ("key_limit_stopped", "Key's limit stopped a request"),
                            ("balance_low", "Balance low"),
                            ("balance_depleted", "Balance used up"),
                            ("grant_expiring", "Credits expire soon"),
                        ],
                        max_length=20,
                    ),
                ),
                ("subject", models.CharField(blank=True, max_length=80)),
                ("facts", models.JSONField(default=dict)),
                ("recipients", models.JSONField(default=list)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notices",
                        to="accounts.billingaccount",
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "indexes": [models.Index(fields=["account", "-id"], name="notice_account")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("account", "kind", "subject"),
                        name="notice_stands_once",
                    )
                ],
            },
        ),
    ]

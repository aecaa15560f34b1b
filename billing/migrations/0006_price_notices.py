import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import config.ids


class Migration(migrations.Migration):
    """Notices of price changes."""

    dependencies = [("billing", "0005_statements"), ("catalog", "0004_price_book_versions")]

    operations = [
        migrations.CreateModel(
            name="PriceAnnouncement",
            fields=[
                ("book", models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name="announcement", serialize=False, to="catalog.pricebook")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("created_by", models.CharField(blank=True, max_length=254)),
                ("last_account", models.UUIDField(null=True)),
                ("done_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={"verbose_name": "announced price change", "ordering": ("-created_at",)},
        ),
        migrations.CreateModel(
            name="PriceNotice",
            fields=[
                ("id", models.UUIDField(default=config.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("unit", models.CharField(max_length=8)),
                ("charges", models.PositiveIntegerField()),
                ("refused", models.PositiveIntegerField(default=0)),
                ("before", models.BigIntegerField()),
                ("after", models.BigIntegerField()),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("recipients", models.JSONField(default=list)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("account", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="price_notices", to="accounts.billingaccount")),
                ("announcement", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="notices", to="billing.priceannouncement")),
            ],
            options={
                "verbose_name": "price notice",
                "ordering": ("-id",),
                "indexes": [models.Index(fields=["account", "-id"], name="pricenotice_account")],
                "constraints": [
                    models.UniqueConstraint(fields=("announcement", "account"), name="pricenotice_once"),
                    models.CheckConstraint(condition=models.Q(("refused__lte", models.F("charges"))), name="pricenotice_refused_of"),
                ],
            },
        ),
    ]

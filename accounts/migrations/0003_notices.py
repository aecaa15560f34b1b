import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """What people want to be told."""

    dependencies = [("accounts", "0002_keys_tell_the_web")]

    operations = [
        migrations.CreateModel(
            name="NoticeChoice",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                (
                    "topic",
                    models.CharField(
                        choices=[
                            ("limits", "Spending limits"),
                            ("balance", "Low balance"),
                            ("expiry", "Credits about to expire"),
                        ],
                        max_length=8,
                    ),
                ),
                ("wanted", models.BooleanField()),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notice_choices",
                        to="accounts.billingaccount",
                    ),
                ),
                (
                    "membership",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notice_choices",
                        to="accounts.membership",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "membership", "topic"),
                        name="noticechoice_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
    ]

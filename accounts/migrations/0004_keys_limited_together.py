from django.db import migrations, models


class Migration(migrations.Migration):
    """A key and those that replaced it are limited together."""

    dependencies = [("accounts", "0003_notices")]

    operations = [
        migrations.AddField(
            "apikey", "limited_as", models.UUIDField(blank=True, editable=False, null=True)
        ),
        migrations.RunSQL(
            """
            WITH RECURSIVE chain AS (
                SELECT id, id AS first FROM accounts_apikey WHERE replaces_id IS NULL
                 UNION ALL
                SELECT k.id, chain.first FROM accounts_apikey k JOIN chain ON k.replaces_id = chain.id
            )
            UPDATE accounts_apikey k SET limited_as = chain.first FROM chain WHERE chain.id = k.id AND chain.first <> k.id;
            """,
            migrations.RunSQL.noop,
        ),
    ]

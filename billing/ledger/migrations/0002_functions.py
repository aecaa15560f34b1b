from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    """The ledger's writer and its guards, as SQL functions and triggers (billing/ledger/sql)."""

    dependencies = [("ledger", "0001_initial"), ("accounts", "0001_initial")]

    operations = [
        migrations.RunSQL((SQL / f"{name}.sql").read_text())
        for name in ("clock", "guards", "post", "place", "finish", "plans")
    ] + [
        migrations.RunSQL(
            "ALTER TABLE ledger_balance SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);"
            "ALTER TABLE ledger_charge SET (fillfactor = 80);"
            "ALTER TABLE ledger_grant SET (fillfactor = 70);"
        ),
    ]

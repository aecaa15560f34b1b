from django.db import migrations


class Migration(migrations.Migration):
    """How the ledger's hot tables are stored. Its functions are loaded by the latest migration that changed them."""

    dependencies = [("ledger", "0001_initial"), ("accounts", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE ledger_balance SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);"
            "ALTER TABLE ledger_charge SET (fillfactor = 80);"
            "ALTER TABLE ledger_grant SET (fillfactor = 70);"
        ),
    ]

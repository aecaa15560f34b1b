from django.db import migrations

TOGETHER = """
CREATE TEMP TABLE together ON COMMIT DROP AS
SELECT DISTINCT ON (coalesce(k.limited_as, k.id)) coalesce(k.limited_as, k.id) AS first, l.account_id, l.monthly, l.budget
  FROM ledger_keylimit l JOIN accounts_apikey k ON k.id = l.api_key_id
 WHERE k.limited_as IS NOT NULL OR EXISTS (SELECT 1 FROM accounts_apikey n WHERE n.limited_as = k.id)
 ORDER BY coalesce(k.limited_as, k.id), k.created_at DESC, k.id DESC;

DELETE FROM ledger_keylimit l USING accounts_apikey k, together t
 WHERE k.id = l.api_key_id AND t.first = coalesce(k.limited_as, k.id);

INSERT INTO ledger_keylimit (api_key_id, account_id, monthly, budget, month, month_accepted, accepted)
SELECT t.first, t.account_id, t.monthly, t.budget, now.month::date, coalesce(c.in_month, 0), coalesce(c.total, 0)
  FROM (SELECT date_trunc('month', ledger_now() AT TIME ZONE 'UTC') AS month) now, together t
  JOIN ledger_balance b ON b.account_id = t.account_id
  LEFT JOIN LATERAL (
       SELECT sum(coalesce(c.cost, c.amount) - c.refunded) AS total,
              sum(coalesce(c.cost, c.amount) - c.refunded) FILTER (WHERE c.authorized_at >= now.month AT TIME ZONE 'UTC') AS in_month
         FROM ledger_charge c JOIN accounts_apikey k ON k.id = c.api_key_id
        WHERE c.account_id = t.account_id AND c.unit = b.unit AND t.first IN (k.id, k.limited_as)) c ON true;

DROP TABLE together;
"""


class Migration(migrations.Migration):
    """One limit for a key and those that replaced it: the newest one's, with what all of them have spent."""

    dependencies = [
        ("billing", "0009_history_blocks"),
        ("accounts", "0004_keys_limited_together"),
        ("ledger", "0004_usage_days"),
    ]

    operations = [migrations.RunSQL(TOGETHER, migrations.RunSQL.noop)]

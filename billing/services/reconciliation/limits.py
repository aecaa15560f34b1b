"""What may be spent a month: that it is counted right, and that nothing was accepted beyond it."""

from typing import Final

from billing.ledger.balances import COMFORT_SLOTS
from billing.services.reconciliation.check import Check

_RECOUNT: Final = (
    "The charges are the truth and this figure beside them is wrong: set it to what they add up to, with the"
    " account's balance row locked, and find out which change to the code or the database made it differ."
)

CHECKS: Final = (
    Check(
        name="spending_counted",
        promise="What counts against this month's spending limit is what was accepted in it, less what came back.",
        remedy=_RECOUNT,
        long=True,
        sql="""
        SELECT b.account_id::text
          FROM (SELECT date_trunc('month', ledger_now() AT TIME ZONE 'UTC') AS month) now
          JOIN ledger_balance b ON b.spend_month = now.month::date
          LEFT JOIN LATERAL (
               SELECT sum(CASE WHEN status = 'authorized' THEN amount ELSE cost - refunded END) AS total
                 FROM ledger_charge
                WHERE account_id = b.account_id AND unit = b.unit
                  AND authorized_at >= now.month AT TIME ZONE 'UTC') c ON true
         WHERE b.spend_accepted + ledger_unfolded(b.account_id) <> coalesce(c.total, 0)""",
    ),
    Check(
        name="limits_kept",
        promise="With every request that was accepted, what the month held and cost was within the spending limit.",
        remedy="More was accepted than the customer allowed: give back what is beyond the limit; the code is wrong.",
        long=True,
        # As far as last month: what is older has been looked at sixty times. A limit set in the same microsecond may have
        # come before or after.
        sql=f"""
        WITH charge AS (
            SELECT c.*, date_trunc('month', c.authorized_at AT TIME ZONE 'UTC') AS month FROM ledger_charge c
             WHERE c.account_id IN (SELECT account_id FROM ledger_limitchange WHERE spend_limit IS NOT NULL)
               AND c.authorized_at >= (date_trunc('month', ledger_now() AT TIME ZONE 'UTC') - interval '1 month')
                                      AT TIME ZONE 'UTC'
        ), moved (account_id, unit, month, id, at, amount, is_accepted) AS (
            SELECT account_id, unit, month, id, authorized_at, ledger_held_at(amount, reports, '-infinity'), true FROM charge
             UNION ALL
            SELECT account_id, unit, month, id, (report ->> 'at')::timestamptz, -(report ->> 'returned')::bigint, false
              FROM charge, jsonb_array_elements(reports) AS report
             UNION ALL
            SELECT account_id, unit, month, id, finished_at, cost - amount, false FROM charge WHERE cost <> amount
             UNION ALL
            SELECT c.account_id, c.unit, c.month, c.id, t.created_at, -t.amount, false
              FROM charge c JOIN ledger_transaction t ON t.charge_id = c.id AND t.kind = 'refund'
        )
        SELECT s.id::text FROM (
            SELECT *, sum(amount) OVER (PARTITION BY account_id, unit, month ORDER BY at, amount > 0, id) AS upto
              FROM moved) s
          JOIN ledger_balance b USING (account_id)
         CROSS JOIN LATERAL (SELECT spend_limit FROM ledger_limitchange n
                              WHERE n.account_id = s.account_id AND coalesce(n.since < s.at, true)
                              ORDER BY n.id DESC LIMIT 1) held
         WHERE s.is_accepted AND s.amount > 0
           AND s.upto > held.spend_limit + coalesce(b.comfort_share, 0) * {COMFORT_SLOTS}
           AND NOT EXISTS (SELECT FROM ledger_limitchange n WHERE n.account_id = s.account_id AND n.since = s.at)""",  # noqa: S608 - a constant of this program
    ),
    Check(
        name="key_limits_counted",
        promise="What counts against the limits of an API key is what it and those it replaced were accepted for.",
        remedy=_RECOUNT,
        long=True,
        # A hold placed without the lock just as the key got its limit is not counted (comfort.sql): within the overshoot.
        sql=f"""
        SELECT k.api_key_id::text
          FROM (SELECT date_trunc('month', ledger_now() AT TIME ZONE 'UTC') AS month) now, ledger_keylimit k
          JOIN ledger_balance b USING (account_id)
          LEFT JOIN LATERAL (
               SELECT sum(coalesce(c.cost, c.amount) - c.refunded) AS total,
                      sum(coalesce(c.cost, c.amount) - c.refunded)
                          FILTER (WHERE c.authorized_at >= now.month AT TIME ZONE 'UTC') AS in_month
                 FROM ledger_charge c
                WHERE c.account_id = k.account_id AND c.unit = b.unit AND c.api_key_id IN (
                      SELECT id FROM accounts_apikey a WHERE k.api_key_id IN (a.id, a.limited_as))) c ON true
         WHERE abs(k.accepted - coalesce(c.total, 0)) > coalesce(b.comfort_share, 0) * {COMFORT_SLOTS}
            OR k.month = now.month::date
               AND abs(k.month_accepted - coalesce(c.in_month, 0)) > coalesce(b.comfort_share, 0) * {COMFORT_SLOTS}""",  # noqa: S608 - constants of this program
    ),
    Check(
        name="limits_noted",
        promise="The limits of every balance row are those that were noted last.",
        remedy="Somebody changed a limit in the database itself, without its triggers: set in the admin what was agreed,"
        " which notes it.",
        long=True,
        sql="""
        SELECT b.account_id::text FROM ledger_balance b
          LEFT JOIN LATERAL (SELECT true AS known, credit_limit, spend_limit FROM ledger_limitchange
                              WHERE account_id = b.account_id ORDER BY id DESC LIMIT 1) n ON true
         WHERE n.known IS NULL OR (b.credit_limit, b.spend_limit) IS DISTINCT FROM (n.credit_limit, n.spend_limit)""",
    ),
)

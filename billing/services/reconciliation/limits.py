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
        # Only the limit of today is known: what was accepted since it was set is held against it, as far as last month.
        sql=f"""
        WITH limited AS (
            SELECT b.account_id, b.unit, b.spend_limit + coalesce(b.comfort_share, 0) * {COMFORT_SLOTS} AS most,
                   greatest(l.updated_at, (date_trunc('month', ledger_now() AT TIME ZONE 'UTC') - interval '1 month')
                                          AT TIME ZONE 'UTC') AS since
              FROM ledger_balance b JOIN billing_spendinglimit l ON l.account_id = b.account_id
             WHERE b.spend_limit IS NOT NULL
        ), charge AS (
            SELECT c.*, l.most, l.since, date_trunc('month', c.authorized_at AT TIME ZONE 'UTC') AS month
              FROM limited l JOIN ledger_charge c ON c.account_id = l.account_id AND c.unit = l.unit
             WHERE c.authorized_at >= date_trunc('month', l.since AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
        ), moved (account_id, month, id, at, amount, most, since, is_accepted) AS (
            SELECT account_id, month, id, authorized_at, ledger_held_at(amount, reports, '-infinity'), most, since, true
              FROM charge
             UNION ALL
            SELECT account_id, month, id, (report ->> 'at')::timestamptz, -(report ->> 'returned')::bigint, most, since,
                   false
              FROM charge, jsonb_array_elements(reports) AS report
             UNION ALL
            SELECT account_id, month, id, finished_at, cost - amount, most, since, false FROM charge WHERE cost <> amount
             UNION ALL
            SELECT c.account_id, c.month, c.id, t.created_at, -t.amount, c.most, c.since, false
              FROM charge c JOIN ledger_transaction t ON t.charge_id = c.id AND t.kind = 'refund'
        )
        SELECT id::text FROM (
            SELECT *, sum(amount) OVER (PARTITION BY account_id, month ORDER BY at, amount > 0, id) AS upto FROM moved) spent
         WHERE is_accepted AND amount > 0 AND at > since AND upto > most""",  # noqa: S608 - a constant of this program
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
               AND abs(k.month_accepted - coalesce(c.in_month, 0)) > coalesce(b.comfort_share, 0) * {COMFORT_SLOTS}""",  # noqa: S608
    ),
)

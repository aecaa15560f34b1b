"""What the rows that change say against each other: balances, holds, charges."""

from typing import Final

from billing.ledger.reports import TIMED_OUT
from billing.services.reconciliation.check import Check

_RECOUNT: Final = (
    "The history is the truth and this figure beside it is wrong: set it to what the history adds up to, with the"
    " account's balance row locked, and find out which change to the code or the database made it differ."
)

CHECKS: Final = (
    Check(
        name="held_matches_holds",
        promise="What is held is the sum of the open holds.",
        remedy=_RECOUNT,
        sql="""
        SELECT b.account_id::text FROM ledger_balance b
          LEFT JOIN (SELECT account_id, sum(amount) AS total FROM ledger_charge
                      WHERE status = 'authorized' GROUP BY 1) c USING (account_id)
         WHERE b.held + ledger_unfolded(b.account_id) <> coalesce(c.total, 0)""",
    ),
    Check(
        name="balances_cover_holds",
        promise="No account is below its credit limit and recorded debt.",
        remedy="More was accepted than the account had. Look at its last charges; bill the difference or give it.",
        sql="SELECT account_id::text FROM ledger_balance WHERE balance - held < -(credit_limit + overdraft)",
    ),
    Check(
        name="grants_match_balance",
        promise="What is left of an account's grants is its balance; an account in debt has at most what a hold keeps.",
        remedy=_RECOUNT,
        sql="""
        SELECT b.account_id::text FROM ledger_balance b
          LEFT JOIN (SELECT account_id, sum(remaining) AS total,
                            sum(remaining) FILTER (WHERE expires_at <= ledger_now()) AS lapsed
                       FROM ledger_grant WHERE NOT is_spent GROUP BY 1) g USING (account_id)
         WHERE coalesce(g.total, 0) <> greatest(b.balance, 0)
           AND (g.total > b.balance AND g.total = g.lapsed
                AND g.lapsed <= b.held + ledger_unfolded(b.account_id)) IS NOT TRUE""",
    ),
    Check(
        name="nothing_spent_lapsed",
        promise="No request accepted at or after a grant's expiry was paid from it.",
        remedy="The customer used credits that were gone: decide whether to give them; the code that allowed it is wrong.",
        long=True,
        sql="""
        SELECT u.transaction_id::text FROM ledger_grant g
          JOIN ledger_grantuse u ON u.grant_id = g.id AND u.amount > 0
          JOIN ledger_transaction t ON t.id = u.transaction_id AND t.kind = 'usage'
          JOIN ledger_charge c ON c.id = t.charge_id
         WHERE c.authorized_at >= g.expires_at""",
    ),
    Check(
        name="charges_posted_once",
        promise="Every settled charge has one usage transaction of its cost; every other charge has none.",
        remedy="Look at the charge's story. Post what is missing as an adjustment, give back what is too much.",
        long=True,
        sql="""
        SELECT c.id::text FROM ledger_charge c
          LEFT JOIN (SELECT charge_id, count(*) AS times, sum(amount) AS total FROM ledger_transaction
                      WHERE kind = 'usage' GROUP BY 1) t ON t.charge_id = c.id
         WHERE CASE WHEN c.status IN ('settled', 'refunded') THEN t.times IS DISTINCT FROM 1 OR t.total <> -c.cost
                    ELSE t.times IS NOT NULL END""",
    ),
    Check(
        name="charges_as_posted",
        promise="What a transaction says of its charge is what the charge says: whose, for what, by which key, and when.",
        remedy="The chain proves the transaction: put the charge, which was changed or deleted, back as it says.",
        long=True,
        # A charge ends in the call that posts it. With the clock set back meanwhile its end is its beginning, and the
        # transaction's time that of the one before it.
        sql="""
        SELECT t.id::text FROM ledger_transaction t LEFT JOIN ledger_charge c ON c.id = t.charge_id
         WHERE (t.kind = 'usage' OR t.charge_id IS NOT NULL)
           AND (c.id IS NULL OR (c.account_id, c.unit, c.model, c.reference, c.api_key_id, c.description)
                IS DISTINCT FROM (t.account_id, t.unit, t.model, t.reference, t.api_key_id, t.description)
                OR t.kind = 'usage' AND (
                   c.finished_at > t.created_at AND c.finished_at <> c.authorized_at
                   OR c.finished_at < t.created_at - interval '1 minute'
                      AND NOT EXISTS (SELECT FROM ledger_transaction p WHERE p.account_id = t.account_id
                                       AND p.seq = t.seq - 1 AND p.created_at = t.created_at)))""",
    ),
    Check(
        name="charges_within_means",
        promise="A charge is not collected in part while its hold could have paid it, and ends after it began.",
        remedy="The hold should have paid for it: charge the difference as an adjustment, or leave it to the company.",
        long=True,
        sql="""
        SELECT id::text FROM ledger_charge
         WHERE uncollected > 0 AND cost < amount OR finished_at < authorized_at OR expires_at < authorized_at""",
    ),
    Check(
        name="reports_kept",
        promise="Each report of phases gave back what it says; work that timed out is charged at what was reported.",
        remedy="The reports are the truth: what is held is what the last one left, what timed out costs what it came to.",
        long=True,
        sql=f"""
        SELECT c.id::text FROM ledger_charge c
          JOIN LATERAL (SELECT bool_and(back >= 0 AND left_held = coalesce(next_held, c.amount)) AS is_whole
                          FROM (SELECT (report ->> 'returned')::bigint AS back,
                                       (report ->> 'held')::bigint - (report ->> 'returned')::bigint AS left_held,
                                       lead((report ->> 'held')::bigint) OVER (ORDER BY place) AS next_held
                                  FROM jsonb_array_elements(c.reports) WITH ORDINALITY AS each (report, place)) step
               ) chain ON true
         WHERE c.reports IS NOT NULL AND (chain.is_whole IS DISTINCT FROM true
            OR c.status IN ('settled', 'refunded') AND c.reason = '{TIMED_OUT}'
               AND c.cost + c.uncollected <> (c.reports -> -1 ->> 'cost')::bigint)""",  # noqa: S608 - a constant of this program
    ),
    Check(
        name="refunds_match",
        promise="What a charge gave back is the sum of its refund transactions.",
        remedy=_RECOUNT,
        long=True,
        sql="""
        SELECT c.id::text FROM ledger_charge c
          LEFT JOIN (SELECT charge_id, sum(amount) AS total FROM ledger_transaction
                      WHERE kind = 'refund' AND charge_id IS NOT NULL GROUP BY 1) t ON t.charge_id = c.id
         WHERE c.refunded <> coalesce(t.total, 0)""",
    ),
    Check(
        name="paid_credits_good_as_agreed",
        promise="Where a paid top-up sets the clock, bought credits lapse when the last one that stayed paid says.",
        remedy="billing.services.validity.follow sets the account's expiry by its payments again.",
        long=True,
        sql="""
        WITH paid AS (
            SELECT DISTINCT ON (p.account_id) p.account_id, t.details ->> 'good_until' AS good_until
              FROM billing_payment p
              JOIN accounts_billingaccount a ON a.id = p.account_id
              JOIN catalog_profile f ON f.slug = a.profile AND jsonb_typeof(f.settings -> 'validity') = 'object'
              LEFT JOIN ledger_transaction t ON t.id = p.transaction_id
             WHERE p.status = 'succeeded' AND p.cash_minor + p.tax_minor > coalesce((
                   SELECT sum(r.cash_minor) FROM billing_reversal r
                    WHERE r.payment_id = p.id AND (r.kind = 'refund' AND r.status NOT IN ('failed', 'canceled')
                                                   OR r.kind = 'dispute' AND r.status = 'lost')), 0)
             ORDER BY p.account_id, p.finished_at DESC, p.id DESC
        )
        SELECT g.id::text FROM paid JOIN ledger_grant g ON g.account_id = paid.account_id
         WHERE g.source = 'topup' AND NOT g.is_spent AND coalesce(g.expires_at > ledger_now(), true)
           AND paid.good_until IS NOT NULL AND g.expires_at IS DISTINCT FROM paid.good_until::timestamptz""",
    ),
    Check(
        name="no_strays",
        promise="Every charge and transaction belongs to an account that exists.",
        remedy="The account's row was deleted in the database itself: bring it back from a backup.",
        long=True,
        sql="""
        SELECT c.id::text FROM ledger_charge c LEFT JOIN ledger_balance b USING (account_id) WHERE b.account_id IS NULL
        UNION ALL SELECT t.id::text FROM ledger_transaction t LEFT JOIN ledger_balance b USING (account_id)
         WHERE b.account_id IS NULL""",
    ),
    Check(
        name="answers_kept",
        promise="Where an Idempotency-Key was answered with a charge, that charge is there, and once.",
        remedy="The answer was given and its effect is gone: bring the charge back from a backup.",
        long=True,
        sql="""
        SELECT r.owner::text || ' ' || r.key FROM ledger_idempotencyrecord r
         WHERE r.result ->> 'code' IN ('authorized', 'settled', 'voided') AND r.result ->> 'id' IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM ledger_charge c WHERE c.id = (r.result ->> 'id')::uuid)
         UNION ALL
        SELECT min(r.owner::text || ' ' || r.key) FROM ledger_idempotencyrecord r
         WHERE r.result ->> 'code' = 'authorized' GROUP BY r.result ->> 'id' HAVING count(*) > 1""",
    ),
)

"""Money that came in or went back, and what credits it made."""

from typing import Final

from billing.services.reconciliation.check import Check
from catalog.pricing.units import ZERO_DECIMAL

_WHOLE: Final = ", ".join(f"'{currency}'" for currency in sorted(ZERO_DECIMAL))
"""Currencies that are counted without decimals."""

CHECKS: Final = (
    Check(
        name="payments_credited_once",
        promise="A payment has its credit exactly when it succeeded: once, to the account that paid, as agreed, for the"
        " money that the credit says.",
        remedy="Open the payment in the admin and at Stripe. Have its webhook carried out again, or correct by adjustment.",
        sql=f"""
        SELECT p.id::text FROM billing_payment p LEFT JOIN ledger_transaction t ON t.id = p.transaction_id
         WHERE (p.status = 'succeeded') <> (t.id IS NOT NULL)
            OR (t.account_id, t.amount, t.unit, t.kind) <> (p.account_id, p.credits, p.unit, p.purpose)
            OR t.details ->> 'payment' <> 'pay_' || replace(p.id::text, '-', '')
            OR t.details ->> 'currency' <> upper(p.currency)
            OR (t.details ->> 'cash')::numeric
               * CASE WHEN upper(p.currency) IN ({_WHOLE}) THEN 1 ELSE 100 END <> p.cash_minor""",  # noqa: S608 - constants of this program
    ),
    Check(
        name="topups_paid",
        promise="No credits stand in the history as bought without the payment that bought them.",
        remedy="Look for the payment at Stripe by the reference; if there is none, take the credits back by adjustment.",
        long=True,
        sql="""
        SELECT t.id::text FROM ledger_transaction t
         WHERE t.kind IN ('topup', 'auto_recharge') AND t.key LIKE 'topup:pay\\_%%'
           AND NOT EXISTS (SELECT 1 FROM billing_payment p WHERE p.transaction_id = t.id)""",
    ),
    Check(
        name="payments_of_own_customer",
        promise="No payment was made by the Stripe customer of another account than it credits.",
        remedy="Compare the customer at Stripe with the account; refund what a wrong card paid.",
        sql="""
        SELECT p.id::text FROM billing_payment p
          JOIN accounts_billingaccount a ON a.stripe_customer_id = p.stripe_customer_id
         WHERE p.status = 'succeeded' AND a.id <> p.account_id""",
    ),
    Check(
        name="reversals_within_payments",
        promise="No more goes back of a payment, by refunds and lost disputes, than was captured.",
        remedy="Compare the payment's refunds and disputes with Stripe's; too much refunded has to be asked back.",
        sql="""
        SELECT p.id::text FROM billing_payment p JOIN billing_reversal r ON r.payment_id = p.id
         WHERE r.kind = 'refund' AND r.status NOT IN ('failed', 'canceled') OR r.kind = 'dispute' AND r.status = 'lost'
         GROUP BY p.id HAVING sum(r.cash_minor) > p.cash_minor + p.tax_minor""",
    ),
    Check(
        name="refunds_unspent_only",
        promise="A refund took credits from its own purchase alone: what was unspent, and no more than its money bought.",
        remedy="Look at the reversal's transaction in the admin; give back by adjustment what was taken too much.",
        long=True,
        sql="""
        SELECT r.id::text FROM billing_reversal r
          JOIN billing_payment p ON p.id = r.payment_id
          JOIN ledger_transaction t ON t.id = r.transaction_id
          LEFT JOIN LATERAL (
               SELECT sum(u.amount) AS taken, bool_and(g.transaction_id = p.transaction_id) AS own
                 FROM ledger_grantuse u JOIN ledger_grant g ON g.id = u.grant_id WHERE u.transaction_id = t.id) used ON true
         WHERE r.kind = 'refund' AND (used.own IS NOT TRUE OR used.taken <> -t.amount)
         UNION ALL
        SELECT p.id::text FROM billing_payment p
          JOIN billing_reversal r ON r.payment_id = p.id AND r.transaction_id IS NOT NULL AND r.restored_id IS NULL
         GROUP BY p.id
        HAVING sum(r.withdrawn) > ceil(p.credits::numeric * least(sum(r.cash_minor), p.cash_minor + p.tax_minor)
                                       / (p.cash_minor + p.tax_minor))""",
    ),
    Check(
        name="clawbacks_match",
        promise="What a reversal took from the credits is one transaction of that amount, and never more than they were.",
        remedy="Look at the reversal's transactions in the admin; correct by adjustment.",
        sql="""
        SELECT r.id::text FROM billing_reversal r JOIN billing_payment p ON p.id = r.payment_id
          LEFT JOIN ledger_transaction t ON t.id = r.transaction_id
          LEFT JOIN ledger_transaction back ON back.id = r.restored_id
         WHERE r.withdrawn <> coalesce(-t.amount, 0) OR t.account_id <> p.account_id
            OR (r.restored_id IS NOT NULL AND back.amount IS DISTINCT FROM r.withdrawn)
        UNION ALL
        SELECT p.id::text FROM billing_payment p JOIN billing_reversal r ON r.payment_id = p.id AND r.restored_id IS NULL
         GROUP BY p.id HAVING sum(r.withdrawn) > p.credits""",
    ),
    Check(
        name="refund_requests_match",
        promise="A refund asked for here took its credits in one transaction, and gave all of them back if it failed.",
        remedy="Look at the request's transactions in the admin; correct by adjustment.",
        sql="""
        SELECT q.id::text FROM billing_refundrequest q JOIN billing_payment p ON p.id = q.payment_id
          LEFT JOIN ledger_transaction t ON t.id = q.transaction_id
          LEFT JOIN ledger_transaction back ON back.id = q.restored_id
          LEFT JOIN billing_reversal r ON r.stripe_id = q.stripe_id AND q.stripe_id <> ''
         WHERE q.withdrawn <> coalesce(-t.amount, 0) OR t.account_id <> p.account_id
            OR (q.restored_id IS NOT NULL AND back.amount IS DISTINCT FROM q.withdrawn)
            OR (q.status = 'done' AND r.transaction_id IS DISTINCT FROM q.transaction_id)""",
    ),
)

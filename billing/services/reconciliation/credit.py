"""Plans and invoices: periods are granted as they say, and what was invoiced left the balance once."""

from typing import Final

from billing.services.reconciliation.check import Check

_REPAIR: Final = "Look at the account's subscription and its events in the admin, then adjust with a reason."
_INVOICE: Final = (
    "Compare the invoice with its ledger transaction; void it with a reason if the invoice is what is wrong."
)

CHECKS: Final = (
    Check(
        name="invoice_lines_add_up",
        promise="The lines of every invoice add up to its total.",
        remedy=_INVOICE,
        sql="""
        SELECT i.id::text FROM billing_invoice i LEFT JOIN billing_invoiceline l ON l.invoice_id = i.id
         GROUP BY i.id HAVING coalesce(sum(l.amount), 0) <> i.total""",
    ),
    Check(
        name="invoices_posted",
        promise="Every invoice left its account's balance once; void it came back once, paid it was noted.",
        remedy=_INVOICE,
        sql="""
        SELECT i.id::text FROM billing_invoice i
          LEFT JOIN ledger_transaction t ON t.id = i.transaction_id
          LEFT JOIN ledger_transaction v ON v.id = i.void_transaction_id
          LEFT JOIN ledger_transaction p ON p.id = i.paid_transaction_id
         WHERE (t.kind, t.account_id, t.unit, t.amount) IS DISTINCT FROM ('invoice', i.account_id, i.unit, i.total)
            OR i.status = 'void'
               AND (v.kind, v.account_id, v.unit, v.amount) IS DISTINCT FROM ('invoice', i.account_id, i.unit, -i.total)
            OR i.status = 'paid' AND (p.kind, p.account_id, p.amount) IS DISTINCT FROM ('invoice', i.account_id, 0)
            OR i.status <> 'paid' AND i.paid_transaction_id IS NOT NULL
         UNION ALL
        SELECT t.id::text FROM ledger_transaction t
         WHERE t.kind = 'invoice' AND NOT EXISTS (SELECT 1 FROM billing_invoice i
                WHERE t.id IN (i.transaction_id, i.void_transaction_id, i.paid_transaction_id))""",
        long=True,
    ),
    Check(
        name="receivables_match",
        promise="What stands on receivables is what the open invoices come to.",
        remedy=_INVOICE + " One that was paid before payments were posted: mark it as paid again.",
        sql="""
        SELECT coalesce(p.account_id, i.account_id)::text
          FROM (SELECT t.account_id, p.unit, -sum(p.amount) AS total
                  FROM ledger_transaction t JOIN ledger_posting p ON p.transaction_id = t.id
                 WHERE t.kind = 'invoice' AND p.ledger_account = 'receivables' GROUP BY 1, 2) p
          FULL JOIN (SELECT account_id, unit, sum(total) AS total FROM billing_invoice
                      WHERE status = 'open' GROUP BY 1, 2) i
            ON i.account_id = p.account_id AND i.unit = p.unit
         WHERE coalesce(p.total, 0) <> coalesce(i.total, 0)""",
        long=True,
    ),
    Check(
        name="invoices_numbered",
        promise="Invoices are numbered from 1 on without a gap.",
        remedy="A number that is missing was deleted behind the program's back: restore it from a backup.",
        sql="""
        SELECT 'last ' || coalesce(max(number), 0) || ', invoices ' || count(*) FROM billing_invoice
        HAVING coalesce(max(number), 0) <> count(*)
            OR coalesce(max(number), 0) <> coalesce((SELECT last FROM billing_invoicecounter WHERE id = 1), 0)""",
    ),
    Check(
        name="periods_granted",
        promise="Each period was given the credits it says, once, to its own account.",
        remedy=_REPAIR,
        sql="""
        SELECT p.id::text FROM billing_subscriptionperiod p
          JOIN billing_subscription s ON s.id = p.subscription_id
          LEFT JOIN ledger_transaction t ON t.key = 'plan:' || replace(s.id::text, '-', '') || ':' || p.number
         WHERE coalesce(t.amount, 0) <> p.credits OR t.account_id <> s.account_id OR t.kind <> 'plan_grant'
         UNION ALL
        SELECT t.id::text FROM ledger_transaction t
         WHERE t.kind = 'plan_grant' AND t.key ~ '^plan:[0-9a-f]{32}:[0-9]+'
           AND NOT EXISTS (SELECT 1 FROM billing_subscriptionperiod p
                            WHERE replace(p.subscription_id::text, '-', '') = split_part(t.key, ':', 2)
                              AND p.number::text = split_part(t.key, ':', 3))""",
        long=True,
    ),
    Check(
        name="plans_agree",
        promise="An account's plan is that of its running subscription.",
        remedy=_REPAIR,
        sql="""
        SELECT s.account_id::text FROM billing_subscription s JOIN accounts_billingaccount a ON a.id = s.account_id
         WHERE s.status IN ('trialing', 'active', 'past_due') AND a.plan <> s.plan
            OR s.status = 'paused' AND a.plan <> ''""",
    ),
    Check(
        name="periods_renewed",
        promise="No plan waits more than an hour for its next period.",
        remedy="Is the worker running? The log says why billing.renew_plans could not move this account on.",
        sql="""
        SELECT account_id::text FROM billing_subscription
         WHERE status IN ('trialing', 'active', 'past_due') AND period_ends_at < ledger_now() - interval '1 hour'""",
    ),
)

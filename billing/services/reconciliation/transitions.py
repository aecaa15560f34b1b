"""What stood where, and whether it may have gone there: payments, refunds, disputes, invoices, subscriptions, adjustments,
charges.
"""

from typing import Final

from billing.models import (
    ADJUSTMENT_TRANSITIONS,
    INVOICE_TRANSITIONS,
    PAYMENT_TRANSITIONS,
    REVERSAL_TRANSITIONS,
    SUBSCRIPTION_TRANSITIONS,
)
from billing.services.reconciliation.check import Check

ALLOWED: Final = {
    "payment": PAYMENT_TRANSITIONS,
    "invoice": INVOICE_TRANSITIONS,
    "subscription": SUBSCRIPTION_TRANSITIONS,
    "adjustment": ADJUSTMENT_TRANSITIONS,
    **REVERSAL_TRANSITIONS,
}
"""Subject of a noted change → its status → where that may go."""

_BEHIND: Final = (
    "Somebody changed the row in the database itself, without its triggers. Compare it with Stripe, the ledger and a"
    " backup, and put it back."
)


def _pairs() -> str:
    """The allowed changes as rows of SQL. All of it is constants of this program."""
    rows = (
        f"('{subject}', '{was}', '{became}')"
        for subject, table in ALLOWED.items()
        for was, ways in table.items()
        for became in (*ways, was)
    )
    return ", ".join(rows)


CHECKS: Final = (
    Check(
        name="states_moved_as_allowed",
        promise="Payments, refunds, disputes, invoices, subscriptions and adjustments only went where their state allows.",
        remedy=_BEHIND,
        long=True,
        sql=f"""
        WITH allowed (subject, was, became) AS (VALUES {_pairs()})
        SELECT h.subject || ' ' || h.subject_id || ': ' || h.was || ' to ' || h.became FROM billing_statuschange h
         WHERE (h.subject, h.was) IN (SELECT subject, was FROM allowed)
           AND (h.subject, h.was, h.became) NOT IN (SELECT subject, was, became FROM allowed)""",  # noqa: S608 - constants of this program
    ),
    Check(
        name="states_as_noted",
        promise="Each of them stands where its last noted change left it, and no change is missing in between.",
        remedy=_BEHIND,
        long=True,
        sql="""
        WITH noted AS (
            SELECT subject, subject_id, was, became, coalesce(lag(became) OVER past, '') AS before,
                   lead(id) OVER past IS NULL AS is_last
              FROM billing_statuschange WINDOW past AS (PARTITION BY subject_id ORDER BY id)
        ), standing (subject, id, status) AS (
            SELECT 'payment', id, status FROM billing_payment
             UNION ALL SELECT kind, id, status FROM billing_reversal
             UNION ALL SELECT 'invoice', id, status FROM billing_invoice
             UNION ALL SELECT 'subscription', id, status FROM billing_subscription
             UNION ALL SELECT 'adjustment', id, status FROM billing_adjustmentrequest
        )
        SELECT subject || ' ' || subject_id || ': ' || was || ' after ' || before FROM noted WHERE was <> before
         UNION ALL
        SELECT coalesce(s.subject, n.subject) || ' ' || coalesce(s.id, n.subject_id)
          FROM standing s FULL JOIN (SELECT * FROM noted WHERE is_last) n ON n.subject_id = s.id
         WHERE (s.subject, s.status) IS DISTINCT FROM (n.subject, n.became)""",
    ),
    Check(
        name="charges_ended_once",
        promise="A charge is refunded exactly when all it cost came back; a voided one cost nothing and gave nothing back.",
        remedy="Look at the charge's story: its transactions are the truth. Set the charge's state to what they say.",
        long=True,
        sql="""
        SELECT c.id::text FROM ledger_charge c
         WHERE CASE c.status
               WHEN 'refunded' THEN c.refunded <> c.cost
                    OR NOT EXISTS (SELECT 1 FROM ledger_transaction t WHERE t.charge_id = c.id AND t.kind = 'refund')
               WHEN 'settled' THEN c.cost > 0 AND c.refunded = c.cost
               ELSE c.refunded <> 0 OR c.uncollected <> 0 END
         UNION ALL
        SELECT r.charge_id::text FROM ledger_transaction r
          LEFT JOIN ledger_transaction u ON u.charge_id = r.charge_id AND u.kind = 'usage'
         WHERE r.kind = 'refund' AND r.charge_id IS NOT NULL
           AND (u.id IS NULL OR u.seq > r.seq OR u.account_id <> r.account_id)""",
    ),
)

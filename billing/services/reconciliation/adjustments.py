"""What staff gave and took by hand, and that more than one of them wanted it where it was much."""

from typing import Final

from billing.services.reconciliation.check import Check

CHECKS: Final = (
    Check(
        name="adjustments_posted_once",
        promise="An adjustment is posted once and as it was asked for, by whom and why, when it was approved or needed"
        " nobody's approval; a pending or declined one is not.",
        remedy="Compare the request with its transaction in the admin; correct by an adjustment what was posted wrongly.",
        sql="""
        SELECT a.id::text FROM billing_adjustmentrequest a
          LEFT JOIN ledger_transaction t ON t.key = 'adjustment:' || replace(a.nonce::text, '-', '')
         WHERE t.id IS DISTINCT FROM a.transaction_id
            OR t.id IS NOT NULL AND (t.account_id, t.amount, t.unit, t.kind)
                                    IS DISTINCT FROM (a.account_id, a.micros, a.unit, 'adjustment')
            OR t.description <> a.reason
            OR t.id IS NOT NULL AND a.status <> 'earlier' AND t.details ->> 'staff' IS DISTINCT FROM
                                    coalesce(a.asked_by_id::text, 'None')""",
    ),
    Check(
        name="adjustments_approved",
        promise="No adjustment by staff above its profile's limit was posted unless another one than who asked approved it.",
        remedy="Ask who posted it and why it went past the admin; take it back by an adjustment if nobody stands by it.",
        long=True,
        sql="""
        SELECT t.id::text FROM ledger_transaction t
          LEFT JOIN billing_adjustmentrequest a ON a.transaction_id = t.id
         WHERE t.kind = 'adjustment' AND t.key LIKE 'adjustment:%%'
           AND CASE a.status WHEN 'earlier' THEN false
               WHEN 'within' THEN abs(t.amount) > a.approve_above
               WHEN 'approved' THEN a.asked_by_id IS NULL OR a.decided_by_id IS NULL OR a.asked_by_id = a.decided_by_id
               ELSE true END""",
    ),
)

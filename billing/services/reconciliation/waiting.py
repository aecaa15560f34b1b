"""Nothing waits longer than it should: holds, payments, what has to be sent, what came in."""

from typing import Final

from billing.services.reconciliation.check import Check

_WORKER: Final = "Is the worker up (/readyz), and beat? Their logs say what failed."

CHECKS: Final = (
    Check(
        name="holds_in_time",
        promise="No hold is open more than an hour beyond its time.",
        remedy=_WORKER + " expire-charges ends such holds each minute.",
        sql="""
        SELECT id::text FROM ledger_charge WHERE status = 'authorized' AND expires_at < ledger_now() - interval '1 hour'""",
    ),
    Check(
        name="payments_known",
        promise="No payment attempt stays unknown for more than an hour.",
        remedy=_WORKER + " Does Stripe answer? sweep-payments asks for such attempts each minute.",
        sql="""
        SELECT id::text FROM billing_payment WHERE (status = 'unknown' OR status = 'submitted' AND route <> 'checkout')
           AND coalesce(submitted_at, created_at) < ledger_now() - interval '1 hour'""",
    ),
    Check(
        name="refunds_sent",
        promise="No refund whose credits are taken waits more than an hour for Stripe.",
        remedy=_WORKER + " Does Stripe answer? sweep-payments asks for such refunds each minute.",
        sql="""
        SELECT id::text FROM billing_refundrequest
         WHERE status = 'sent' AND decided_at < ledger_now() - interval '1 hour'""",
    ),
    Check(
        name="outbox_sent",
        promise="What has to be sent is tried within 15 minutes of its turn, and nothing was given up.",
        remedy=_WORKER
        + " Parked messages show their error in the admin's outbox; mend its cause and try again there.",
        sql="""
        SELECT key FROM billing_outboxmessage WHERE sent_at IS NULL
           AND (parked_at IS NOT NULL OR next_attempt_at < ledger_now() - interval '15 minutes')""",
    ),
    Check(
        name="inbox_done",
        promise="What Stripe told is carried out within 15 minutes of its turn, and nothing was given up.",
        remedy=_WORKER
        + " Parked events show their error in the admin's webhook inbox; carry them out again there.",
        sql="""
        SELECT event_id FROM billing_webhookinbox WHERE done_at IS NULL
           AND (parked_at IS NOT NULL OR next_attempt_at < ledger_now() - interval '15 minutes')""",
    ),
    Check(
        name="requests_answered",
        promise="No request with an Idempotency-Key is still unanswered after an hour.",
        remedy="The process died in that request. Delete the row once it is known whether its effect is there.",
        sql="""
        SELECT owner::text || ' ' || key FROM ledger_idempotencyrecord
         WHERE result IS NULL AND created_at < ledger_now() - interval '1 hour'""",
        long=True,
    ),
    Check(
        name="months_sealed",
        promise="Every month of an account's history has its signed statement within two days of the month's end.",
        remedy=_WORKER
        + " seal-statements makes what is missing every ten minutes; the log names accounts it cannot seal.",
        long=True,
        # A portal that has signed nothing for two days yet has only begun, maybe with a long history.
        sql="""
        SELECT b.account_id::text
          FROM (SELECT date_trunc('month', (ledger_now() - interval '2 days') AT TIME ZONE 'UTC') AS month) due
          JOIN billing_signingkey k ON k.created_at = (SELECT min(created_at) FROM billing_signingkey)
           AND k.created_at < ledger_now() - interval '2 days'
          JOIN ledger_balance b ON b.seq > 0
          JOIN ledger_transaction t ON t.account_id = b.account_id AND t.seq = 1
          LEFT JOIN LATERAL (SELECT max(month) AS month FROM billing_statement WHERE account_id = b.account_id) s ON true
         WHERE coalesce(s.month + interval '1 month', date_trunc('month', t.created_at AT TIME ZONE 'UTC')) < due.month""",
    ),
)

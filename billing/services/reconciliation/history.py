"""The history itself: its chain of hashes, its numbers, its postings.

``start`` is where each account's verified history ends (``check.START``).
"""

from typing import Final

from billing.ledger.chart import BANK, COUNTERPART, CUSTOMER, RECEIVABLES, SET_ASIDE, STRIPE_CLEARING
from billing.services.reconciliation.check import Check

_EDITED: Final = (
    "Somebody edited the history in the database itself. Compare the row with a backup and the last statement;"
    " put it back as it was, find out who had write access, and post what is due as an adjustment."
)
_POSTED: Final = (
    "Look at the transaction's postings in the admin. Nothing but the ledger's writer makes them: compare with a"
    " backup, then put back what is missing."
)
_CHART: Final = ", ".join(f"('{kind}', '{opposite}')" for kind, opposite in COUNTERPART.items())
# As ``billing/ledger/chart.py`` says: a refund of no charge is one of a purchase, and two keys are those of a changed unit.
_OPPOSITE: Final = f"""CASE WHEN t.kind = 'refund' AND t.charge_id IS NULL THEN '{STRIPE_CLEARING}'
                 WHEN t.kind = 'adjustment' AND t.key ~ '^(set_aside|brought_back):' THEN '{SET_ASIDE}'
                 ELSE chart.opposite END"""

CHECKS: Final = (
    Check(
        name="chain_intact",
        promise="Every transaction's hash is that of its columns and the hash before it.",
        remedy=_EDITED,
        sql="""
        SELECT account_id::text || ' #' || seq FROM (
            SELECT t.account_id, t.seq, t.hash, ledger_text(t) AS content, coalesce(lag(t.hash) OVER w, s.head) AS previous
              FROM start s JOIN ledger_transaction t ON t.account_id = s.account_id AND t.seq > s.seq
            WINDOW w AS (PARTITION BY t.account_id ORDER BY t.seq)) link
         WHERE hash <> sha256(previous || convert_to(content, 'UTF8'))""",
    ),
    Check(
        name="history_without_gaps",
        promise="An account's transactions are numbered without gaps, and each starts where the last one ended.",
        remedy=_EDITED,
        sql="""
        SELECT account_id::text || ' #' || seq FROM (
            SELECT t.account_id, t.seq, t.amount, t.balance_after, coalesce(lag(t.seq) OVER w, s.seq) AS seq_before,
                   coalesce(lag(t.balance_after) OVER w, s.balance) AS balance_before
              FROM start s JOIN ledger_transaction t ON t.account_id = s.account_id AND t.seq > s.seq
            WINDOW w AS (PARTITION BY t.account_id ORDER BY t.seq)) line
         WHERE seq <> seq_before + 1 OR balance_after <> balance_before + amount""",
    ),
    Check(
        name="transactions_posted",
        promise="The customer's line of every transaction is its amount, its lines add up to zero, and the other one stands"
        " on the account that its kind has.",
        remedy=_POSTED,
        sql=f"""
        SELECT t.id::text FROM start s
          JOIN ledger_transaction t ON t.account_id = s.account_id AND t.seq > s.seq
          LEFT JOIN (VALUES {_CHART}) chart (kind, opposite) ON chart.kind = t.kind
          LEFT JOIN LATERAL (
               SELECT sum(amount) AS total, sum(amount) FILTER (WHERE ledger_account = '{CUSTOMER}') AS customer,
                      bool_or(CASE ledger_account WHEN '{CUSTOMER}' THEN unit <> t.unit OR account_id <> t.account_id
                              ELSE account_id IS NOT NULL END) AS strange,
                      string_agg(ledger_account, ' ' ORDER BY line) AS sides
                 FROM ledger_posting WHERE transaction_id = t.id) p ON true
         WHERE coalesce(p.customer, 0) <> t.amount OR p.total <> 0 OR p.strange
            OR p.sides IS DISTINCT FROM CASE WHEN t.amount <> 0 THEN '{CUSTOMER} ' || {_OPPOSITE}
                                             WHEN t.kind = 'invoice' THEN '{RECEIVABLES} {BANK}' END""",  # noqa: S608 - constants of this program
    ),
    Check(
        name="balances_match_history",
        promise="The balance row says what the last transaction says: its number, its hash, the balance after it.",
        remedy=_EDITED,
        sql="""
        SELECT b.account_id::text FROM ledger_balance b
          LEFT JOIN LATERAL (SELECT seq, balance_after, hash, unit FROM ledger_transaction
                              WHERE account_id = b.account_id ORDER BY seq DESC LIMIT 1) t ON true
         WHERE b.seq <> coalesce(t.seq, 0) OR b.balance <> coalesce(t.balance_after, 0)
            OR b.head <> coalesce(t.hash, decode(repeat('00', 32), 'hex')) OR b.unit <> t.unit AND b.balance <> 0""",
    ),
    Check(
        name="checkpoints_kept",
        promise="What was verified once has not changed its hash since.",
        remedy=_EDITED + " The chain itself may look intact: then all of it after that row was written anew.",
        sql="""
        SELECT c.account_id::text || ' #' || c.seq FROM billing_chaincheckpoint c
          LEFT JOIN ledger_transaction t ON t.account_id = c.account_id AND t.seq = c.seq
         WHERE c.seq > 0 AND (t.hash IS DISTINCT FROM c.head OR t.balance_after IS DISTINCT FROM c.balance)""",
    ),
    Check(
        name="statements_kept",
        promise="The history still ends each month as the signed statement of that month says, and each statement begins"
        " where the one of the month before ended.",
        remedy=_EDITED + " The signed statement is the better witness.",
        sql="""
        SELECT s.account_id::text || ' ' || to_char(s.month, 'YYYY-MM') FROM billing_statement s
          LEFT JOIN ledger_transaction t ON t.account_id = s.account_id AND t.seq = s.last_seq
         WHERE s.last_seq > 0 AND (t.hash IS DISTINCT FROM s.head OR t.balance_after IS DISTINCT FROM s.closing)
         UNION ALL
        SELECT account_id::text || ' ' || to_char(month, 'YYYY-MM') FROM (
            SELECT account_id, month, first_seq - 1 AS seq, head_before, opening, lag(month) OVER w AS before,
                   lag(last_seq) OVER w AS last_seq, lag(head) OVER w AS head, lag(closing) OVER w AS closing
              FROM billing_statement WINDOW w AS (PARTITION BY account_id ORDER BY month)) s
         WHERE before IS NOT NULL AND (month <> before + interval '1 month'
               OR (seq, head_before, opening) IS DISTINCT FROM (last_seq, head, closing))
            OR before IS NULL AND (seq <> 0 OR opening <> 0)""",
    ),
    Check(
        name="history_counted",
        promise="Every account has as many transactions as its balance row says.",
        remedy=_EDITED,
        long=True,
        sql="""
        SELECT b.account_id::text FROM ledger_balance b
          LEFT JOIN (SELECT account_id, count(*) AS times FROM ledger_transaction GROUP BY 1) t USING (account_id)
         WHERE b.seq <> coalesce(t.times, 0)""",
    ),
    Check(
        name="balances_match_postings",
        promise="Every balance is the sum of the account's postings.",
        remedy=_POSTED,
        long=True,
        sql="""
        SELECT b.account_id::text FROM ledger_balance b
          LEFT JOIN (SELECT account_id, sum(amount) AS total FROM ledger_posting
                      WHERE ledger_account = 'customer' GROUP BY 1) p USING (account_id)
         WHERE b.balance <> coalesce(p.total, 0)""",
    ),
    Check(
        name="transactions_balance",
        promise="The postings of every transaction add up to zero per unit, and none is without its transaction.",
        remedy=_POSTED,
        long=True,
        sql="""
        SELECT p.transaction_id::text FROM (
            SELECT transaction_id, bool_or(total <> 0) AS uneven
              FROM (SELECT transaction_id, sum(amount) AS total FROM ledger_posting GROUP BY transaction_id, unit) u
             GROUP BY 1) p
          LEFT JOIN ledger_transaction t ON t.id = p.transaction_id
         WHERE p.uneven OR t.id IS NULL""",
    ),
)

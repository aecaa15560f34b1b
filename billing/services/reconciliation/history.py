"""The history itself: its chain of hashes, its numbers, its postings.

``start`` is where each account's verified history ends (``check.START``).
"""

from typing import Final

from billing.services.reconciliation.check import Check

_EDITED: Final = (
    "Somebody edited the history in the database itself. Compare the row with a backup and the last statement;"
    " put it back as it was, find out who had write access, and post what is due as an adjustment."
)
_POSTED: Final = (
    "Look at the transaction's postings in the admin. Nothing but the ledger's writer makes them: compare with a"
    " backup, then put back what is missing."
)

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
        promise="The customer's line of every transaction is its amount, and its lines add up to zero.",
        remedy=_POSTED,
        sql="""
        SELECT t.id::text FROM start s
          JOIN ledger_transaction t ON t.account_id = s.account_id AND t.seq > s.seq
          LEFT JOIN LATERAL (
               SELECT sum(amount) AS total, sum(amount) FILTER (WHERE ledger_account = 'customer') AS customer,
                      bool_or(ledger_account = 'customer' AND (unit <> t.unit OR account_id <> t.account_id)) AS strange
                 FROM ledger_posting WHERE transaction_id = t.id) p ON true
         WHERE coalesce(p.customer, 0) <> t.amount OR p.total <> 0 OR p.strange""",
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
        promise="The history still ends each month as the signed statement of that month says.",
        remedy=_EDITED + " The signed statement is the better witness.",
        sql="""
        SELECT s.account_id::text || ' ' || to_char(s.month, 'YYYY-MM') FROM billing_statement s
          LEFT JOIN ledger_transaction t ON t.account_id = s.account_id AND t.seq = s.last_seq
         WHERE s.last_seq > 0 AND (t.hash IS DISTINCT FROM s.head OR t.balance_after IS DISTINCT FROM s.closing)""",
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

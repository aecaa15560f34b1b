"""The invariants of the books, each as one query that finds what breaks it (docs/ledger.md explains them)."""

from dataclasses import dataclass
from typing import Final

from django.db import connection


@dataclass(frozen=True)
class Check:
    """One invariant: its name, what it promises, and the SQL whose rows are breaches (a text each)."""

    name: str
    promise: str
    sql: str


@dataclass(frozen=True)
class Finding:
    """The result of one check; ``examples`` are the first breaches."""

    name: str
    promise: str
    breaches: int
    examples: tuple[str, ...]


CHECKS: Final = (
    Check(
        "transactions_balance",
        "The postings of every transaction add up to zero.",
        "SELECT transaction_id::text FROM ledger_posting GROUP BY transaction_id, unit HAVING sum(amount) <> 0",
    ),
    Check(
        "transactions_posted",
        "The customer's line of every transaction is its amount.",
        "SELECT t.id::text FROM ledger_transaction t LEFT JOIN ledger_posting p"
        " ON p.transaction_id = t.id AND p.ledger_account = 'customer'"
        " WHERE coalesce(p.amount, 0) <> t.amount OR p.account_id <> t.account_id OR p.unit <> t.unit",
    ),
    Check(
        "balances_match_postings",
        "Every balance is the sum of the account's postings.",
        "SELECT b.account_id::text FROM ledger_balance b LEFT JOIN (SELECT account_id, sum(amount) AS total"
        " FROM ledger_posting WHERE ledger_account = 'customer' GROUP BY 1) p USING (account_id)"
        " WHERE b.balance <> coalesce(p.total, 0)",
    ),
    Check(
        "held_matches_holds",
        "What is held is the sum of the open holds.",
        "SELECT b.account_id::text FROM ledger_balance b LEFT JOIN (SELECT account_id, sum(amount) AS total"
        " FROM ledger_charge WHERE status = 'authorized' GROUP BY 1) c USING (account_id)"
        " WHERE b.held <> coalesce(c.total, 0)",
    ),
    Check(
        "balances_cover_holds",
        "No account is below its credit limit and recorded debt.",
        "SELECT account_id::text FROM ledger_balance WHERE balance - held < -(credit_limit + overdraft)",
    ),
    Check(
        "charges_posted_once",
        "Every settled charge has one usage transaction of its cost; every other charge has none.",
        "SELECT c.id::text FROM ledger_charge c LEFT JOIN (SELECT charge_id, count(*) AS times, sum(amount) AS total"
        " FROM ledger_transaction WHERE kind = 'usage' GROUP BY 1) t ON t.charge_id = c.id"
        " WHERE CASE WHEN c.status IN ('settled', 'refunded') THEN t.times IS DISTINCT FROM 1 OR t.total <> -c.cost"
        " ELSE t.times IS NOT NULL END",
    ),
    Check(
        "refunds_match",
        "What a charge gave back is the sum of its refund transactions.",
        "SELECT c.id::text FROM ledger_charge c LEFT JOIN (SELECT charge_id, sum(amount) AS total"
        " FROM ledger_transaction WHERE kind = 'refund' AND charge_id IS NOT NULL GROUP BY 1) t ON t.charge_id = c.id"
        " WHERE c.refunded <> coalesce(t.total, 0)",
    ),
    Check(
        "grants_match_balance",
        "What is left of an account's grants is its balance; an account in debt has none left.",
        "SELECT b.account_id::text FROM ledger_balance b LEFT JOIN (SELECT account_id, sum(remaining) AS total"
        " FROM ledger_grant GROUP BY 1) g USING (account_id)"
        " WHERE coalesce(g.total, 0) <> greatest(b.balance, 0)",
    ),
    Check(
        "history_without_gaps",
        "An account's transactions are numbered without gaps, and each starts where the last one ended.",
        "SELECT account_id::text || ' #' || seq FROM (SELECT account_id, seq, amount, balance_after,"
        " lag(seq, 1, 0::bigint) OVER w AS seq_before, lag(balance_after, 1, 0::bigint) OVER w AS balance_before"
        " FROM ledger_transaction WINDOW w AS (PARTITION BY account_id ORDER BY seq)) h"
        " WHERE seq <> seq_before + 1 OR balance_after <> balance_before + amount",
    ),
    Check(
        "history_counted",
        "The balance row knows how many transactions the account has.",
        "SELECT b.account_id::text FROM ledger_balance b LEFT JOIN (SELECT account_id, max(seq) AS last, count(*) AS times"
        " FROM ledger_transaction GROUP BY 1) t USING (account_id)"
        " WHERE b.seq <> coalesce(t.last, 0) OR b.seq <> coalesce(t.times, 0)",
    ),
    Check(
        "no_strays",
        "Every charge and transaction belongs to an account that exists.",
        "SELECT c.id::text FROM ledger_charge c LEFT JOIN ledger_balance b USING (account_id) WHERE b.account_id IS NULL"
        " UNION ALL SELECT t.id::text FROM ledger_transaction t LEFT JOIN ledger_balance b USING (account_id)"
        " WHERE b.account_id IS NULL",
    ),
    Check(
        "payments_credited_once",
        "A payment has its credit exactly when it succeeded.",
        "SELECT p.id::text FROM billing_payment p LEFT JOIN ledger_transaction t ON t.id = p.transaction_id"
        " WHERE (p.status = 'succeeded') <> (t.id IS NOT NULL)"
        " OR (t.id IS NOT NULL AND (t.account_id <> p.account_id OR t.amount <> p.credits OR t.unit <> p.unit))",
    ),
    Check(
        "holds_in_time",
        "No hold is open more than an hour beyond its time.",
        "SELECT id::text FROM ledger_charge WHERE status = 'authorized' AND expires_at < ledger_now() - interval '1 hour'",
    ),
    Check(
        "payments_known",
        "No payment attempt stays unknown for more than an hour.",
        "SELECT id::text FROM billing_payment WHERE status IN ('submitted', 'unknown') AND route = 'off_session'"
        " AND created_at < ledger_now() - interval '1 hour'",
    ),
)


def run(checks: tuple[Check, ...] = CHECKS, *, examples: int = 5) -> list[Finding]:
    """Run the checks on one consistent view of the books; a finding with 0 breaches is a promise kept."""
    return [_run(check, examples) for check in checks]


def _run(check: Check, examples: int) -> Finding:
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH breach (what) AS ({check.sql})"  # noqa: S608 - the checks above, no input
            " SELECT count(*), (array_agg(what))[1:%s] FROM breach",
            [examples],
        )
        count, found = cursor.fetchone()
    return Finding(check.name, check.promise, count, tuple(found or ()))

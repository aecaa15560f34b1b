"""What the grants say against the transactions that brought them and used them."""

from typing import Final

from billing.services.reconciliation.check import Check

_SOURCES: Final = """('topup', 'topup'), ('auto_recharge', 'topup'), ('bonus', 'bonus'), ('trial', 'trial'),
                             ('plan_grant', 'plan'), ('adjustment', 'admin'), ('refund', 'refund')"""
"""Kind of the transaction and source of the grant that it brings."""

_RETURNS: Final = "^(refund_undone|brought_back):"
"""Keys of what comes back to the grants that it was taken from."""

CHECKS: Final = (
    Check(
        name="grants_as_posted",
        promise="Whatever brought credits has its grant, which has the source, amount and reference of what brought it.",
        remedy="The chain proves the transaction: put the grant back as it says, with the account's balance row locked.",
        long=True,
        # What is given back for a charge opens a grant only where those it was taken from are gone, and for no debt.
        sql=f"""
        SELECT g.id::text FROM ledger_grant g
          JOIN ledger_transaction t ON t.id = g.transaction_id
          LEFT JOIN (VALUES {_SOURCES}) made (kind, source) ON made.kind = t.kind
          LEFT JOIN (SELECT grant_id, sum(amount) AS used FROM ledger_grantuse GROUP BY 1) u ON u.grant_id = g.id
         WHERE g.source IS DISTINCT FROM made.source
            OR CASE t.kind WHEN 'refund' THEN g.amount <> g.remaining + coalesce(u.used, 0)
               ELSE (g.amount, g.reference) <> (t.amount, t.reference) END
         UNION ALL
        SELECT t.id::text FROM ledger_transaction t
         WHERE t.kind IN ('topup', 'auto_recharge', 'bonus', 'trial', 'plan_grant', 'adjustment') AND t.amount > 0
           AND coalesce(t.key, '') !~ '{_RETURNS}'
           AND NOT EXISTS (SELECT FROM ledger_grant g WHERE g.transaction_id = t.id)""",  # noqa: S608 - constants of this program
    ),
    Check(
        name="grants_used_as_noted",
        promise="No grant gave more than it had, and what each transaction moved of the balance above zero is noted use by"
        " use.",
        remedy="The history is the truth: note the uses again as it says, in the order of ledger_burn_rank, with the"
        " account's balance row locked, and find out who removed or changed them.",
        long=True,
        # While a hold keeps lapsed credits a debt may stand beside them: then what moved is not what the balance says.
        sql="""
        WITH noted AS MATERIALIZED (
            SELECT g.id, g.account_id, g.transaction_id, g.expires_at, g.amount - g.remaining AS gone,
                   coalesce(sum(u.amount), 0) AS used,
                   g.remaining + coalesce(sum(u.amount), 0) AS brought,
                   CASE WHEN g.is_spent THEN coalesce(max(t.seq), 0) ELSE 9223372036854775807 END AS last_seq
              FROM ledger_grant g LEFT JOIN ledger_grantuse u ON u.grant_id = g.id
              LEFT JOIN ledger_transaction t ON t.id = u.transaction_id GROUP BY g.id
        ), uneven AS MATERIALIZED (
            SELECT t.id, t.account_id, t.seq, t.created_at FROM ledger_transaction t
              LEFT JOIN (SELECT transaction_id, sum(brought) AS total FROM noted GROUP BY 1) came
                     ON came.transaction_id = t.id
              LEFT JOIN (SELECT transaction_id, sum(amount) AS total FROM ledger_grantuse GROUP BY 1) went
                     ON went.transaction_id = t.id
             WHERE coalesce(came.total, 0) - coalesce(went.total, 0)
                   <> greatest(t.balance_after, 0) - greatest(t.balance_after - t.amount, 0)
        )
        SELECT id::text FROM noted WHERE used NOT BETWEEN 0 AND gone
         UNION ALL
        SELECT t.id::text FROM uneven t
         WHERE NOT EXISTS (SELECT FROM noted n WHERE n.account_id = t.account_id
                            AND n.expires_at <= t.created_at AND n.last_seq >= t.seq)""",
    ),
    Check(
        name="grants_of_own_account",
        promise="Grants belong to the account whose transaction brought them, and only its own transactions used them.",
        remedy="One account spent what another one has: put the row right and correct both by adjustments.",
        long=True,
        sql="""
        SELECT g.id::text FROM ledger_grant g LEFT JOIN ledger_transaction t ON t.id = g.transaction_id
         WHERE (g.account_id, g.unit) IS DISTINCT FROM (t.account_id, t.unit)
         UNION ALL
        SELECT u.transaction_id::text FROM ledger_grantuse u
          LEFT JOIN ledger_grant g ON g.id = u.grant_id LEFT JOIN ledger_transaction t ON t.id = u.transaction_id
         WHERE g.id IS NULL OR (g.account_id, g.unit) IS DISTINCT FROM (t.account_id, t.unit)""",
    ),
)

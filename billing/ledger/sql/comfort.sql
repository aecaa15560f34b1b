-- Comfortable balances: while an account has far more than it uses, a hold does not wait for the balance row. Such holds
-- are rows of ledger_unfoldedhold until somebody has the lock next and adds them up (profile gateway; docs/ledger.md).

-- Adds holds that were placed without the lock to their balance rows, whose locks the caller has. What concurrent holds may
-- have taken beyond the account's means is recorded as overdraft.
CREATE OR REPLACE FUNCTION ledger_fold_holds(accounts uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH gone AS (
        DELETE FROM ledger_unfoldedhold WHERE account_id = ANY (accounts) RETURNING account_id, amount, month
    ), sums AS (
        SELECT account_id, sum(amount)::bigint AS amount, max(month) AS month FROM gone GROUP BY account_id
    )
    UPDATE ledger_balance b
       SET held = b.held + sums.amount,
           overdraft = greatest(b.overdraft, b.held + sums.amount - b.balance - b.credit_limit),
           spend_month = greatest(b.spend_month, sums.month),
           spend_accepted = CASE WHEN b.spend_month >= sums.month THEN b.spend_accepted ELSE 0 END
               + coalesce((SELECT sum(amount) FROM gone
                            WHERE gone.account_id = b.account_id AND month = greatest(b.spend_month, sums.month)), 0)
      FROM sums WHERE b.account_id = sums.account_id;
END $$;

-- What an account holds beside its balance row.
CREATE OR REPLACE FUNCTION ledger_unfolded(account uuid) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(amount), 0)::bigint FROM ledger_unfoldedhold WHERE account_id = account
$$;

-- Takes one of the account's 16 slots until the transaction ends; false when all are taken.
CREATE OR REPLACE FUNCTION ledger_comfort_slot(account uuid) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    first int := floor(random() * 16);
BEGIN
    FOR slot IN first .. first + 15 LOOP
        IF pg_try_advisory_xact_lock(hashtextextended(account::text, slot % 16)) THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;

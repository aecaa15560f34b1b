-- Usage by day: sums of an account's transactions, kept by an exact incremental fold beside the hot path.
--
-- An account's transactions are numbered without gaps in the order of their times. ledger_usagefold says up to which number they are
-- in ledger_usageday; every read adds the rest in the same statement, so that what it says is always what the ledger says.

-- Folds the account's next transactions, at most so many; returns how many. Two folds of one account wait for each other.
CREATE OR REPLACE FUNCTION ledger_fold(account uuid, most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    done bigint;
    last bigint;
BEGIN
    INSERT INTO ledger_usagefold (account_id, seq) VALUES (account, 0) ON CONFLICT DO NOTHING;
    SELECT f.seq INTO done FROM ledger_usagefold f WHERE f.account_id = account FOR UPDATE;
    -- What the balance row counts is committed with it, so the next statement sees every one of them.
    SELECT least(b.seq, done + most) INTO last FROM ledger_balance b WHERE b.account_id = account;
    IF last IS NULL OR last <= done THEN
        RETURN 0;
    END IF;
    INSERT INTO ledger_usageday AS d (account_id, day, unit, kind, model, operation, api_key_id, count, amount,
                                      first_seq, last_seq)
    SELECT account, (t.created_at AT TIME ZONE 'UTC')::date, t.unit, t.kind, t.model, coalesce(c.operation, ''), t.api_key_id,
           count(*), sum(t.amount), min(t.seq), max(t.seq)
      FROM ledger_transaction t LEFT JOIN ledger_charge c ON c.id = t.charge_id
     WHERE t.account_id = account AND t.seq > done AND t.seq <= last
     GROUP BY 2, 3, 4, 5, 6, 7
        ON CONFLICT (account_id, day, unit, kind, model, operation, api_key_id) DO UPDATE
       SET count = d.count + excluded.count, amount = d.amount + excluded.amount, last_seq = excluded.last_seq;
    UPDATE ledger_usagefold SET seq = last WHERE account_id = account;
    RETURN last - done;
END $$;

-- What happened from one day (UTC) to before another: the folded days and what came since. Planned as part of the query around it.
-- Amounts are in of_unit; left out: the unit the account is counted in now. What was counted in another unit is not among them.
CREATE OR REPLACE FUNCTION ledger_days(account uuid, since date, until date, of_unit text DEFAULT NULL)
RETURNS TABLE (day date, kind text, model text, operation text, api_key_id uuid, count bigint, amount bigint,
               first_seq bigint, last_seq bigint)
LANGUAGE sql STABLE AS $$
    SELECT d.day, d.kind::text, d.model::text, d.operation::text, d.api_key_id, d.count, d.amount, d.first_seq, d.last_seq
      FROM ledger_usageday d
     WHERE d.account_id = account AND d.day >= since AND d.day < until
       AND d.unit = coalesce(of_unit, (SELECT b.unit FROM ledger_balance b WHERE b.account_id = account))
     UNION ALL
    SELECT (t.created_at AT TIME ZONE 'UTC')::date, t.kind::text, t.model::text, coalesce(c.operation, '')::text, t.api_key_id,
           1::bigint, t.amount, t.seq, t.seq
      FROM ledger_transaction t LEFT JOIN ledger_charge c ON c.id = t.charge_id
     WHERE t.account_id = account
       AND t.unit = coalesce(of_unit, (SELECT b.unit FROM ledger_balance b WHERE b.account_id = account))
       AND t.seq > coalesce((SELECT f.seq FROM ledger_usagefold f WHERE f.account_id = account), 0)
       AND t.created_at >= since::timestamp AT TIME ZONE 'UTC' AND t.created_at < until::timestamp AT TIME ZONE 'UTC'
$$;

-- The numbers of the account's newest transactions below a number and above a floor that are of this model, key and kinds ('' or null:
-- any). The folded days say where such transactions are, so the days without one are not read; what came since is.
CREATE OR REPLACE FUNCTION ledger_find(account uuid, below bigint, floor bigint, of_model text, of_key uuid, of_kinds text[], most int)
RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    span record;
    found int := 0;
    more int;
BEGIN
    FOR span IN
        SELECT coalesce((SELECT f.seq FROM ledger_usagefold f WHERE f.account_id = account), 0) + 1 AS first, below - 1 AS last
         UNION ALL
        SELECT days.first, days.last FROM (
            SELECT min(d.first_seq) AS first, max(d.last_seq) AS last
              FROM ledger_usageday d
             WHERE d.account_id = account AND (of_model = '' OR d.model = of_model) AND (of_key IS NULL OR d.api_key_id = of_key)
               AND (of_kinds IS NULL OR d.kind = ANY (of_kinds))
             GROUP BY d.day ORDER BY d.day DESC) days
    LOOP
        RETURN QUERY
        SELECT t.seq FROM ledger_transaction t
         WHERE t.account_id = account
           AND t.seq >= greatest(span.first, floor + 1) AND t.seq <= least(span.last, below - 1)
           AND (of_model = '' OR t.model = of_model) AND (of_key IS NULL OR t.api_key_id = of_key)
           AND (of_kinds IS NULL OR t.kind = ANY (of_kinds))
         ORDER BY t.seq DESC LIMIT most - found;
        GET DIAGNOSTICS more = ROW_COUNT;
        found := found + more;
        EXIT WHEN found >= most OR span.first <= floor + 1;
    END LOOP;
END $$;

-- The only place that writes transactions and postings and takes credits from grants.
-- Callers hold the balance rows of all accounts concerned (ledger_lock) before they call.

CREATE TYPE ledger_entry AS (
    id            uuid,         -- of the new transaction
    account_id    uuid,
    kind          text,
    amount        bigint,       -- the customer's side in micros, signed
    counterpart   text,         -- the ledger account opposite (billing/ledger/chart.py)
    description   text,
    charge_id     uuid,
    reference     text,
    model         text,
    api_key_id    uuid,
    key           text,         -- business key, unique over the ledger, or null
    details       jsonb,
    grant_id      uuid,         -- take from this grant only (expiry, refund of a purchase), or null
    alive_since   timestamptz   -- grants that had lapsed by then are not used; null: now
);

-- Lock order: balance rows first, ascending id.
CREATE FUNCTION ledger_lock(accounts uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM ledger_balance WHERE account_id = ANY (accounts) ORDER BY account_id FOR NO KEY UPDATE;
END $$;

-- Credits past their expiry that no earlier hold still stands on: not available, though not yet posted as expired.
-- A hold placed before they lapsed keeps them for itself, as grants are used soonest to expire first.
CREATE FUNCTION ledger_lapsed(account uuid, moment timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (WITH lapsed AS (
        SELECT coalesce(sum(remaining), 0) AS micros, max(expires_at) AS latest
          FROM ledger_grant WHERE account_id = account AND NOT is_spent AND expires_at <= moment
    )
    SELECT greatest(0, lapsed.micros - coalesce((
        SELECT sum(amount) FROM ledger_charge
         WHERE account_id = account AND status = 'authorized' AND authorized_at < lapsed.latest), 0))::bigint
      FROM lapsed);
END $$;

-- Takes one debit from the account's grants, one after the other; needed where a debit may not use every grant.
CREATE FUNCTION ledger_burn_one(debit ledger_entry, moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    need bigint := -debit.amount;
    lot record;
    take bigint;
BEGIN
    FOR lot IN
        SELECT id, remaining FROM ledger_grant
         WHERE account_id = debit.account_id AND NOT is_spent AND (debit.grant_id IS NULL OR id = debit.grant_id)
         ORDER BY coalesce(expires_at <= coalesce(debit.alive_since, moment), false),
                  priority, expires_at NULLS LAST, source = 'topup', id
    LOOP
        EXIT WHEN need = 0;
        take := least(need, lot.remaining);
        UPDATE ledger_grant SET remaining = remaining - take, is_spent = (remaining = take) WHERE id = lot.id;
        INSERT INTO ledger_grantuse (transaction_id, grant_id, amount) VALUES (debit.id, lot.id, take);
        need := need - take;
    END LOOP;
END $$;

-- Takes many debits at once: debits and grants are laid end to end per account, and each overlap is one use.
CREATE FUNCTION ledger_burn_many(debits ledger_entry[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH debit AS (
        SELECT id, account_id, -amount AS size,
               sum(-amount) OVER (PARTITION BY account_id ORDER BY ord) AS upto
          FROM unnest(debits) WITH ORDINALITY AS d (
               id, account_id, kind, amount, counterpart, description, charge_id, reference, model,
               api_key_id, key, details, grant_id, alive_since, ord)
    ), lot AS (
        SELECT g.id, g.account_id, g.remaining,
               sum(g.remaining) OVER (PARTITION BY g.account_id
                   ORDER BY g.priority, g.expires_at NULLS LAST, g.source = 'topup', g.id) AS upto
          FROM ledger_grant g
         WHERE g.account_id IN (SELECT account_id FROM debit) AND NOT g.is_spent
    ), used AS (
        SELECT debit.id AS transaction_id, lot.id AS grant_id,
               (least(lot.upto, debit.upto) - greatest(lot.upto - lot.remaining, debit.upto - debit.size))::bigint AS amount
          FROM debit JOIN lot USING (account_id)
         WHERE lot.upto > debit.upto - debit.size AND lot.upto - lot.remaining < debit.upto
    ), noted AS (
        INSERT INTO ledger_grantuse (transaction_id, grant_id, amount) SELECT transaction_id, grant_id, amount FROM used
    )
    UPDATE ledger_grant g SET remaining = g.remaining - taken.amount, is_spent = (g.remaining = taken.amount)
      FROM (SELECT grant_id, sum(amount)::bigint AS amount FROM used GROUP BY grant_id) taken
     WHERE g.id = taken.grant_id;
END $$;

CREATE FUNCTION ledger_post(entries ledger_entry[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := ledger_now();
    debit ledger_entry;
    plain ledger_entry[];
    careful ledger_entry[];
BEGIN
    INSERT INTO ledger_transaction (id, account_id, seq, kind, amount, balance_after, unit, description, charge_id,
                                    reference, model, api_key_id, key, details, created_at)
    SELECT e.id, e.account_id, b.seq + count(*) OVER past, e.kind, e.amount, b.balance + sum(e.amount) OVER past, b.unit,
           e.description, e.charge_id, coalesce(e.reference, ''), coalesce(e.model, ''), e.api_key_id, e.key,
           coalesce(e.details, '{}'), moment
      FROM unnest(entries) WITH ORDINALITY AS e (
           id, account_id, kind, amount, counterpart, description, charge_id, reference, model,
           api_key_id, key, details, grant_id, alive_since, ord)
      JOIN ledger_balance b ON b.account_id = e.account_id
    WINDOW past AS (PARTITION BY e.account_id ORDER BY e.ord ROWS UNBOUNDED PRECEDING);

    INSERT INTO ledger_posting (transaction_id, line, ledger_account, account_id, unit, amount)
    SELECT e.id, side.line, side.ledger_account, side.account_id, b.unit, side.amount
      FROM unnest(entries) AS e
      JOIN ledger_balance b ON b.account_id = e.account_id
     CROSS JOIN LATERAL (VALUES (1, 'customer', e.account_id, e.amount),
                                (2, e.counterpart, NULL::uuid, -e.amount)) AS side (line, ledger_account, account_id, amount)
     WHERE e.amount <> 0;

    -- Sort the debits before the balance moves: an account with lapsed credits needs the careful way.
    SELECT array_agg(e) FILTER (WHERE NOT needs_care), array_agg(e) FILTER (WHERE needs_care)
      INTO plain, careful
      FROM (SELECT e, e.grant_id IS NOT NULL OR coalesce(b.next_expiry <= moment, false) AS needs_care
              FROM unnest(entries) AS e
              JOIN ledger_balance b ON b.account_id = e.account_id
             WHERE e.amount < 0) AS sorted;

    UPDATE ledger_balance b SET balance = b.balance + moved.amount, seq = b.seq + moved.count
      FROM (SELECT account_id, sum(amount)::bigint AS amount, count(*) AS count FROM unnest(entries) GROUP BY account_id) moved
     WHERE b.account_id = moved.account_id;

    IF careful IS NOT NULL THEN
        FOREACH debit IN ARRAY careful LOOP
            PERFORM ledger_burn_one(debit, moment);
        END LOOP;
    END IF;
    IF plain IS NOT NULL THEN
        PERFORM ledger_burn_many(plain);
    END IF;
END $$;

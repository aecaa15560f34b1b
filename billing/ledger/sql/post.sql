-- The only place that writes transactions and postings and takes credits from grants.
-- Callers hold the balance rows of all accounts concerned (ledger_lock) before they call.

DROP TYPE IF EXISTS ledger_entry CASCADE;
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
    alive_since   timestamptz   -- grants that had lapsed by then are not used, unless one is named; null: now
);

-- Lock order: balance rows first, ascending id. Who has the lock sees every hold, also those placed without it (comfort.sql).
-- Returns when credits of one of the accounts lapse next.
DROP FUNCTION IF EXISTS ledger_lock(uuid[]);
CREATE FUNCTION ledger_lock(accounts uuid[]) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    soonest timestamptz;
BEGIN
    SELECT min(next_expiry) INTO soonest
      FROM (SELECT next_expiry FROM ledger_balance WHERE account_id = ANY (accounts) ORDER BY account_id FOR NO KEY UPDATE) locked;
    IF EXISTS (SELECT 1 FROM ledger_unfoldedhold WHERE account_id = ANY (accounts)) THEN
        PERFORM ledger_fold_holds(accounts);
    END IF;
    RETURN soonest;
END $$;

-- The order in which an account's grants are used, fixed here and nowhere else: lowest priority number, then soonest to
-- expire, then credits that were given before credits that were bought, then oldest.
DROP TYPE IF EXISTS ledger_burn_rank CASCADE;
CREATE TYPE ledger_burn_rank AS (priority smallint, expires_at timestamptz, is_bought boolean, id uuid);
CREATE OR REPLACE FUNCTION ledger_burn_rank(lot ledger_grant) RETURNS ledger_burn_rank LANGUAGE sql IMMUTABLE AS $$
    SELECT ROW(lot.priority, coalesce(lot.expires_at, 'infinity'), lot.source = 'topup', lot.id)::ledger_burn_rank
$$;

-- Credits past their expiry that no hold from before it still stands on, by grant, soonest first: not available, though not yet
-- posted as expired. A hold keeps what lapsed since it was placed, and a grant only holds that were placed before it lapsed:
-- so up to each grant there goes what has lapsed beyond those holds, and what went before.
CREATE OR REPLACE FUNCTION ledger_lapsed_lots(account uuid, moment timestamptz)
RETURNS TABLE (id uuid, source varchar, gone bigint) LANGUAGE sql STABLE AS $$
    WITH lot AS (
        SELECT g.id, g.source, g.expires_at, sum(g.remaining) OVER (ORDER BY g.expires_at, g.id) AS upto
          FROM ledger_grant g WHERE g.account_id = account AND NOT g.is_spent AND g.expires_at <= moment
    ), gone AS (
        SELECT lot.id, lot.source, lot.expires_at, greatest(0, max(lot.upto - coalesce((
                   SELECT sum(c.amount) FROM ledger_charge c
                    WHERE c.account_id = account AND c.status = 'authorized' AND c.authorized_at < lot.expires_at), 0))
                   OVER (ORDER BY lot.expires_at, lot.id)) AS upto
          FROM lot
    )
    SELECT gone.id, gone.source, (gone.upto - lag(gone.upto, 1, 0::numeric) OVER (ORDER BY gone.expires_at, gone.id))::bigint FROM gone
$$;
CREATE OR REPLACE FUNCTION ledger_lapsed(account uuid, moment timestamptz) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(gone), 0)::bigint FROM ledger_lapsed_lots(account, moment)
$$;

-- Takes one debit from the account's grants, one after the other; needed where a debit may not use every grant. What had lapsed
-- before its work was accepted is left to the holds that keep it: the account owes what its other grants do not cover.
CREATE OR REPLACE FUNCTION ledger_burn_one(debit ledger_entry, moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    need bigint := -debit.amount;
    lot record;
    take bigint;
BEGIN
    FOR lot IN
        SELECT id, remaining FROM ledger_grant g
         WHERE account_id = debit.account_id AND NOT is_spent
           AND CASE WHEN debit.grant_id IS NULL THEN coalesce(expires_at > coalesce(debit.alive_since, moment), true)
                    ELSE id = debit.grant_id END
         ORDER BY CASE WHEN expires_at <= moment THEN expires_at ELSE 'infinity' END, ledger_burn_rank(g)
    LOOP
        EXIT WHEN need = 0;
        take := least(need, lot.remaining);
        UPDATE ledger_grant SET remaining = remaining - take, is_spent = (remaining = take) WHERE id = lot.id;
        INSERT INTO ledger_grantuse (transaction_id, grant_id, amount) VALUES (debit.id, lot.id, take);
        need := need - take;
    END LOOP;
END $$;

-- Takes many debits at once: debits and grants are laid end to end per account, and each overlap is one use.
CREATE OR REPLACE FUNCTION ledger_burn_many(debits ledger_entry[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH debit AS (
        SELECT id, account_id, -amount AS size,
               sum(-amount) OVER (PARTITION BY account_id ORDER BY ordinality) AS upto
          FROM unnest(debits) WITH ORDINALITY AS d
    ), lot AS (
        SELECT g.id, g.account_id, g.remaining,
               sum(g.remaining) OVER (PARTITION BY g.account_id ORDER BY ledger_burn_rank(g)) AS upto
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

-- Posts what has lapsed by now, one transaction per grant, soonest first, and notes when the next grant lapses.
-- Credits an open hold stands on stay until that hold ends. Returns the micros that went.
CREATE OR REPLACE FUNCTION ledger_expire(account uuid, moment timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
    lapsed ledger_entry[];
BEGIN
    SELECT coalesce(sum(lot.gone), 0),
           array_agg(ROW(ledger_new_id(), account, CASE WHEN source = 'plan' THEN 'reset' ELSE 'expiry' END,
                         -lot.gone, 'breakage',
                         CASE WHEN source = 'plan' THEN 'Unused plan credits of the period that ended'
                              ELSE 'Expired: ' || CASE source WHEN 'topup' THEN 'top-up' ELSE source END || ' credits' END,
                         NULL, 'grant_' || replace(id::text, '-', ''), NULL, NULL, NULL, NULL, id, NULL)::ledger_entry)
      INTO gone, lapsed
      FROM ledger_lapsed_lots(account, moment) AS lot WHERE lot.gone > 0;
    IF gone > 0 THEN
        PERFORM ledger_post(lapsed);
    END IF;
    UPDATE ledger_balance
       SET next_expiry = (SELECT min(expires_at) FROM ledger_grant WHERE account_id = account AND NOT is_spent)
     WHERE account_id = account;
    RETURN gone;
END $$;

-- An account's transactions are in the order of their times also where the server's clock was set back: none is earlier than the
-- one before it.
CREATE FUNCTION ledger_post(entries ledger_entry[]) RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    moment timestamptz := ledger_now();
    debit ledger_entry;
    plain ledger_entry[];
    careful ledger_entry[];
BEGIN
    -- Sort the debits before the balance moves: an account with lapsed credits needs the careful way.
    -- Each keeps its place, for an account's debits use its grants in the order of their seq.
    SELECT array_agg(e ORDER BY n) FILTER (WHERE NOT needs_care), array_agg(e ORDER BY n) FILTER (WHERE needs_care)
      INTO plain, careful
      FROM (SELECT entries[n] AS e, n,
                   (entries[n]).grant_id IS NOT NULL OR coalesce(b.next_expiry <= moment, false) AS needs_care
              FROM generate_subscripts(entries, 1) AS n
              JOIN ledger_balance b ON b.account_id = (entries[n]).account_id
             WHERE (entries[n]).amount < 0) AS sorted;

    INSERT INTO ledger_posting (transaction_id, line, ledger_account, account_id, unit, amount)
    SELECT e.id, side.line, side.ledger_account, side.account_id, b.unit, side.amount
      FROM unnest(entries) AS e
      JOIN ledger_balance b ON b.account_id = e.account_id
     CROSS JOIN LATERAL (VALUES (1, 'customer', e.account_id, e.amount),
                                (2, e.counterpart, NULL::uuid, -e.amount)) AS side (line, ledger_account, account_id, amount)
     WHERE e.amount <> 0;

    WITH numbered AS (
        SELECT e.id, e.account_id, b.seq + row_number() OVER past AS seq, e.kind, e.amount,
               (b.balance + sum(e.amount) OVER past)::bigint AS balance_after, b.unit, e.description, e.charge_id,
               coalesce(e.reference, '') AS reference, coalesce(e.model, '') AS model, e.api_key_id, e.key,
               coalesce(e.details, '{}') AS details, b.head, greatest(moment, b.posted_at) AS created_at
          FROM unnest(entries) WITH ORDINALITY AS e
          JOIN ledger_balance b ON b.account_id = e.account_id
        WINDOW past AS (PARTITION BY e.account_id ORDER BY e.ordinality ROWS UNBOUNDED PRECEDING)
    ), posted AS (
        INSERT INTO ledger_transaction (id, account_id, seq, kind, amount, balance_after, unit, description, charge_id,
                                        reference, model, api_key_id, key, details, created_at, hash)
        SELECT id, account_id, seq, kind, amount, balance_after, unit, description, charge_id,
               reference, model, api_key_id, key, details, created_at,
               ledger_chain(head, ledger_text(id, account_id, seq, kind, amount, balance_after, unit, description,
                                              charge_id, reference, model, api_key_id, key, details, created_at))
                   OVER (PARTITION BY account_id ORDER BY seq)
          FROM numbered
        RETURNING account_id, seq, amount, hash, created_at
    )
    UPDATE ledger_balance b SET balance = b.balance + moved.amount, seq = moved.seq, head = moved.head, posted_at = moved.posted_at
      FROM (SELECT account_id, sum(amount)::bigint AS amount, max(seq) AS seq,
                   (array_agg(hash ORDER BY seq DESC))[1] AS head, max(created_at) AS posted_at
              FROM posted GROUP BY account_id) moved
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

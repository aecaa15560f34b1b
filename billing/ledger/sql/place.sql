-- Authorize: decides many requests at once and places their holds, or charges at once what is priced on acceptance.
--
-- Takes a JSON array of ledger_place_request, answers a JSON array of outcomes, one per request in any order ("i" names it).
-- It decides in a loop, request by request in arrival order per account, and writes in sets: one UPDATE per
-- account, one INSERT for all charges. One refused request never touches its neighbours. billing/ledger/holds.py is its only caller.

CREATE TYPE ledger_place_request AS (
    i            int,
    id           uuid,      -- of the new charge
    txn          uuid,      -- of its usage transaction, used when settle_now
    account      uuid,
    api_key      uuid,      -- the customer's key, checked again here; null when the account was named
    service_key  uuid,      -- the calling service's key, checked again here; null from inside
    amount       bigint,    -- to hold or charge, micros
    needs        bigint,    -- a balance gate: at least this much must be available (0: no gate)
    settle_now   boolean,   -- priced on acceptance
    ttl          int,       -- seconds until the hold lapses
    model        text,
    operation    text,
    description  text,
    parameters   jsonb,
    lines        jsonb,
    price_book   uuid,
    reference    text,
    owner        uuid,      -- whose Idempotency-Key it is
    idem         text,      -- the key, or null
    hash         text,      -- of the request's body
    recharge     boolean    -- answer "recharge" where auto-recharge should run first
);

CREATE FUNCTION ledger_place(requests jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz;
    wanted ledger_place_request[];
    r record;
    accepted int[] := '{}';
    outcomes jsonb[] := '{}';
    outcome jsonb;
    code text;
    current uuid;
    balance bigint; held bigint; lapsed bigint; spent bigint; available bigint;
    seen text[] := '{}';
BEGIN
    SELECT array_agg(q) INTO wanted FROM jsonb_populate_recordset(NULL::ledger_place_request, requests) q;
    PERFORM ledger_lock((SELECT array_agg(DISTINCT account) FROM unnest(wanted)));
    moment := ledger_now();

    FOR r IN
        SELECT q.*, b.account_id AS known, b.unit, b.balance, b.held, b.credit_limit, b.is_open, b.next_expiry,
               b.recharge_below, b.spend_limit, b.recharge_below IS NOT NULL
                   AND coalesce(b.recharge_after <= moment, true) AS may_recharge,
               CASE WHEN b.spend_month = date_trunc('month', moment AT TIME ZONE 'UTC')::date
                    THEN b.spend_accepted ELSE 0 END AS spend_accepted,
               (q.api_key IS NULL OR (k.id IS NOT NULL AND k.revoked_at IS NULL AND coalesce(k.expires_at > moment, true)))
               AND (q.service_key IS NULL OR (s.id IS NOT NULL AND s.revoked_at IS NULL AND coalesce(s.expires_at > moment, true)))
                   AS keys_valid,
               c.status AS placed, c.expires_at AS placed_until, c.authorized_at AS placed_at,
               f.request_hash AS first_hash, f.result AS first_result
          FROM unnest(wanted) AS q
          LEFT JOIN ledger_balance b ON b.account_id = q.account
          LEFT JOIN accounts_apikey k ON k.id = q.api_key
          LEFT JOIN accounts_apikey s ON s.id = q.service_key
          LEFT JOIN ledger_idempotencyrecord f ON f.owner = q.owner AND f.key = q.idem
          LEFT JOIN ledger_charge c ON c.id = q.id
         ORDER BY q.account, q.i
    LOOP
        IF r.account IS DISTINCT FROM current THEN
            current := r.account;
            balance := r.balance; held := r.held; spent := r.spend_accepted;
            lapsed := CASE WHEN r.next_expiry <= moment THEN ledger_lapsed(r.account, moment) ELSE 0 END;
        END IF;
        available := balance - held - lapsed + r.credit_limit;

        IF NOT r.keys_valid THEN code := 'unauthorized';
        ELSIF r.first_hash IS NOT NULL THEN
            code := CASE WHEN r.first_hash <> r.hash THEN 'idempotency_conflict'
                         WHEN r.first_result IS NULL THEN 'idempotency_in_progress' ELSE 'replay' END;
        ELSIF r.placed IS NOT NULL THEN
            -- Asked again after a broken connection: the answer of the call that went through.
            code := CASE WHEN r.settle_now THEN 'settled' ELSE 'authorized' END;
        ELSIF r.known IS NULL THEN code := 'not_found';
        ELSIF NOT r.is_open THEN code := 'closed';
        ELSIF r.idem IS NOT NULL AND (r.owner::text || r.idem) = ANY (seen) THEN code := 'again';
        ELSIF r.amount > 0 AND spent + r.amount > r.spend_limit THEN code := 'spending_limit_reached';
        ELSIF r.recharge AND r.may_recharge
              AND (balance < r.recharge_below OR available < greatest(r.amount, r.needs)) THEN code := 'recharge';
        ELSIF r.amount > 0 AND r.amount > available THEN
            code := CASE WHEN r.credit_limit > 0 THEN 'credit_limit_reached' ELSE 'insufficient_credits' END;
        ELSIF r.needs > 0 AND r.needs > available THEN code := 'model_unavailable';
        ELSIF r.settle_now THEN
            code := 'settled'; balance := balance - r.amount; available := available - r.amount;
        ELSE
            code := 'authorized'; held := held + r.amount; available := available - r.amount;
        END IF;

        IF r.placed IS NULL AND code IN ('settled', 'authorized') THEN
            spent := spent + r.amount;
            accepted := accepted || r.i;
        END IF;
        IF r.idem IS NOT NULL AND code NOT IN ('recharge', 'again') THEN
            seen := seen || (r.owner::text || r.idem);
        END IF;
        outcome := CASE WHEN code = 'replay'
            THEN r.first_result || jsonb_build_object('i', r.i, 'replayed', true)
            ELSE jsonb_build_object('i', r.i, 'code', code, 'id', r.id, 'unit', r.unit, 'amount', r.amount,
                'balance', balance, 'held', held, 'available', available, 'needs', r.needs,
                'low', coalesce(balance < r.recharge_below, false),
                'recharge_on', r.recharge_below IS NOT NULL, 'spend_limit', r.spend_limit, 'spent', spent,
                'authorized_at', coalesce(r.placed_at, moment),
                'expires_at', coalesce(r.placed_until, moment + make_interval(secs => r.ttl))) END;
        outcomes := outcomes || outcome;
    END LOOP;

    IF cardinality(accepted) > 0 THEN
        PERFORM ledger_place_write(ARRAY(SELECT q FROM unnest(wanted) AS q WHERE q.i = ANY (accepted) ORDER BY q.i), moment);
    END IF;
    INSERT INTO ledger_idempotencyrecord (owner, key, request_hash, result, created_at)
    SELECT q.owner, q.idem, q.hash, o, moment
      FROM unnest(outcomes) AS o JOIN unnest(wanted) AS q ON q.i = (o ->> 'i')::int
     WHERE q.idem IS NOT NULL AND NOT o ? 'replayed'
           AND o ->> 'code' IN ('authorized', 'settled', 'insufficient_credits', 'credit_limit_reached',
                                                  'spending_limit_reached', 'model_unavailable');
    RETURN to_jsonb(outcomes);
END $$;

CREATE FUNCTION ledger_place_write(accepted ledger_place_request[], moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    month date := date_trunc('month', moment AT TIME ZONE 'UTC')::date;
    settled ledger_entry[];
BEGIN
    UPDATE ledger_balance b
       SET held = b.held + placed.held, spend_month = month,
           spend_accepted = placed.amount + CASE WHEN b.spend_month = month THEN b.spend_accepted ELSE 0 END
      FROM (SELECT account, sum(amount)::bigint AS amount,
                   coalesce(sum(amount) FILTER (WHERE NOT settle_now), 0)::bigint AS held
              FROM unnest(accepted) GROUP BY account) placed
     WHERE b.account_id = placed.account;

    INSERT INTO ledger_charge (id, account_id, api_key_id, status, unit, amount, cost, uncollected, refunded, model, operation,
                               description, parameters, routing, estimate_lines, price_book_id, reference, reason,
                               authorized_at, expires_at, finished_at)
    SELECT q.id, q.account, q.api_key, CASE WHEN q.settle_now THEN 'settled' ELSE 'authorized' END, b.unit, q.amount,
           CASE WHEN q.settle_now THEN q.amount END, 0, 0, q.model, q.operation, q.description, q.parameters, '{}', q.lines,
           q.price_book, q.reference, '', moment, moment + make_interval(secs => q.ttl),
           CASE WHEN q.settle_now THEN moment END
      FROM unnest(accepted) AS q JOIN ledger_balance b ON b.account_id = q.account;

    SELECT array_agg(ROW(q.txn, q.account, 'usage', -q.amount, 'revenue', q.description, q.id, q.reference, q.model, q.api_key,
                         NULL, NULL, NULL, moment)::ledger_entry ORDER BY q.i)
      INTO settled FROM unnest(accepted) AS q WHERE q.settle_now;
    IF settled IS NOT NULL THEN
        PERFORM ledger_post(settled);
    END IF;
END $$;

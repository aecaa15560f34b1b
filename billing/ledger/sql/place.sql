-- Authorize: decides many requests at once and places their holds, or charges at once what is priced on acceptance.
--
-- Takes a JSON array of ledger_place_request, answers a JSON array of outcomes, one per request in any order ("i" names it).
-- It decides in a loop, request by request in arrival order per account, and writes in sets: one UPDATE per
-- account, one INSERT for all charges. One refused request never touches its neighbours. billing/ledger/holds.py is its only caller.

DROP TYPE IF EXISTS ledger_place_request CASCADE;
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
    recharge     boolean,   -- answer "recharge" where auto-recharge should run first
    relaxed      boolean,   -- the lock may be skipped while the balance is comfortable (comfort.sql)
    count_scope  text,      -- what a plan counts, or null
    count_limit  int,       -- how many of them may be accepted in one period; null: counted, not limited
    count_since  timestamptz, -- from when on its periods are counted, each a month long
    estimate     bigint,    -- what it should cost, where that is not what is held; null: the amount
    counted_in   text       -- the unit it was priced in: an account that changed it meanwhile is asked again; null: any
);

-- Those of the accounts whose requests need no lock: far above the threshold and nothing to count exactly. What is under way
-- unseen by others is bounded: at most 16 calls an account skip its lock at once (a slot each, kept until commit), and each
-- takes at most comfort_share. So an account is never further below its means than 16 shares.
CREATE OR REPLACE FUNCTION ledger_comfortable(wanted ledger_place_request[]) RETURNS uuid[] LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT coalesce(array_agg(b.account_id), '{}')
      FROM (SELECT account, sum(amount) AS amount, array_agg(api_key) AS keys
              FROM unnest(wanted) GROUP BY account
            HAVING bool_and(relaxed AND NOT settle_now AND count_limit IS NULL)) asked
      JOIN ledger_balance b ON b.account_id = asked.account
     WHERE b.is_open AND b.spend_limit IS NULL AND coalesce(b.next_expiry > ledger_now(), true)
       AND asked.amount <= b.comfort_share
       AND b.balance - b.held - ledger_unfolded(b.account_id) + b.credit_limit - asked.amount >= b.comfort_above
       AND NOT EXISTS (SELECT 1 FROM accounts_apikey k JOIN ledger_keylimit l ON l.api_key_id = coalesce(k.limited_as, k.id)
                        WHERE k.id = ANY (asked.keys))
       AND ledger_comfort_slot(b.account_id));
END $$;

-- Planned once a session for any number of requests (force_generic_plan): planning anew took longer than deciding.
DROP FUNCTION IF EXISTS ledger_place(jsonb);
CREATE FUNCTION ledger_place(requests jsonb) RETURNS json LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    moment timestamptz;
    soonest timestamptz;    -- when credits of one of the accounts lapse next
    this_month date;
    wanted ledger_place_request[];
    accounts uuid[];
    any_relaxed boolean;
    r record;
    accepted ledger_place_request[] := '{}';
    outcomes json[] := '{}';
    outcome json;
    code text;
    current uuid;
    balance bigint; held bigint; spent bigint; available bigint;
    of_key bigint; of_scope bigint;
    keys jsonb := '{}';     -- accepted here so far, per key that has a limit (of a rotated key: per chain of keys)
    scopes jsonb := '{}';   -- accepted here so far, per account and scope that has a limit
    seen text[] := '{}';
    unlocked uuid[] := '{}';
    owners uuid[] := '{}'; idems text[] := '{}'; hashes text[] := '{}'; kept int[] := '{}';  -- which outcomes are kept for a key
BEGIN
    SELECT array_agg(q), array_agg(q.account), bool_or(q.relaxed) INTO wanted, accounts, any_relaxed
      FROM jsonb_populate_recordset(NULL::ledger_place_request, requests) q;
    IF any_relaxed THEN
        unlocked := ledger_comfortable(wanted);
        accounts := ARRAY(SELECT a FROM unnest(accounts) AS a WHERE a <> ALL (unlocked));
    END IF;
    soonest := ledger_lock(accounts);
    moment := ledger_now();
    this_month := date_trunc('month', moment AT TIME ZONE 'UTC')::date;
    IF soonest <= moment THEN
        -- What has lapsed is posted before anything is decided: nothing that follows can spend it.
        PERFORM ledger_expire(account_id, moment) FROM ledger_balance WHERE account_id = ANY (accounts) AND next_expiry <= moment;
    END IF;

    FOR r IN
        SELECT q.*, q AS request, b.account_id AS known, b.unit, b.balance, b.credit_limit, b.is_open,
               b.held + CASE WHEN q.account = ANY (unlocked) THEN ledger_unfolded(q.account) ELSE 0 END AS held,
               b.recharge_below, b.spend_limit, b.recharge_below IS NOT NULL
                   AND coalesce(b.recharge_after <= moment, true) AS may_recharge,
               CASE WHEN b.spend_month >= this_month THEN b.spend_accepted ELSE 0 END AS spend_accepted,
               ledger_accepted_at(b.spend_month, moment) AS accepted_at,
               (q.api_key IS NULL OR (k.id IS NOT NULL AND k.revoked_at IS NULL AND coalesce(k.expires_at > moment, true)))
               AND (q.service_key IS NULL OR (s.id IS NOT NULL AND s.revoked_at IS NULL AND coalesce(s.expires_at > moment, true)))
                   AS keys_valid,
               l.api_key_id AS limit_key, l.monthly AS key_monthly, l.budget AS key_budget, l.accepted AS key_total,
               CASE WHEN l.month >= greatest(this_month, b.spend_month) THEN l.month_accepted ELSE 0 END AS key_month,
               c.status AS placed, c.expires_at AS placed_until, c.authorized_at AS placed_at,
               f.request_hash AS first_hash, f.result AS first_result
          FROM unnest(wanted) AS q
          LEFT JOIN ledger_balance b ON b.account_id = q.account
          LEFT JOIN accounts_apikey k ON k.id = q.api_key
          LEFT JOIN accounts_apikey s ON s.id = q.service_key
          LEFT JOIN ledger_keylimit l ON l.api_key_id = coalesce(k.limited_as, k.id)
          LEFT JOIN ledger_idempotencyrecord f ON f.owner = q.owner AND f.key = q.idem
          LEFT JOIN ledger_charge c ON c.id = q.id
         ORDER BY q.account, q.i
    LOOP
        IF r.account IS DISTINCT FROM current THEN
            current := r.account;
            balance := r.balance; held := r.held; spent := r.spend_accepted;
        END IF;
        available := balance - held + r.credit_limit;
        of_key := CASE WHEN r.limit_key IS NOT NULL THEN coalesce((keys ->> r.limit_key::text)::bigint, 0) END;
        of_scope := CASE WHEN r.count_limit IS NOT NULL THEN ledger_counted(r.account, r.count_scope, ledger_period_start(r.count_since, moment))
                         + coalesce((scopes ->> (r.account::text || r.count_scope))::bigint, 0) END;

        IF NOT r.keys_valid THEN code := 'unauthorized';
        ELSIF r.first_hash IS NOT NULL THEN
            code := CASE WHEN r.first_hash <> r.hash THEN 'idempotency_conflict'
                         WHEN r.first_result IS NULL THEN 'idempotency_in_progress' ELSE 'replay' END;
        ELSIF r.placed IS NOT NULL THEN
            -- Asked again after a broken connection: the answer of the call that went through.
            code := CASE WHEN r.settle_now THEN 'settled' ELSE 'authorized' END;
        ELSIF r.known IS NULL THEN code := 'not_found';
        ELSIF NOT r.is_open THEN code := 'closed';
        ELSIF r.counted_in <> r.unit THEN code := 'unit_changed';
        ELSIF r.idem IS NOT NULL AND (r.owner::text || r.idem) = ANY (seen) THEN code := 'again';
        ELSIF of_scope >= r.count_limit THEN code := 'monthly_count_reached';
        ELSIF r.amount > 0 AND spent + r.amount > r.spend_limit THEN code := 'spending_limit_reached';
        ELSIF r.amount > 0 AND (r.key_month + of_key + r.amount > r.key_monthly
                                OR r.key_total + of_key + r.amount > r.key_budget) THEN code := 'key_limit_reached';
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
            accepted := accepted || r.request;
            IF r.limit_key IS NOT NULL THEN
                keys := keys || jsonb_build_object(r.limit_key, of_key + r.amount);
            END IF;
            IF r.count_limit IS NOT NULL THEN
                scopes := jsonb_set(scopes, ARRAY[r.account::text || r.count_scope],
                                    to_jsonb(coalesce((scopes ->> (r.account::text || r.count_scope))::bigint, 0) + 1));
            END IF;
        END IF;
        IF code = 'replay' THEN
            outcome := (r.first_result || jsonb_build_object('i', r.i, 'replayed', true))::json;
        ELSE
            outcome := json_build_object('i', r.i, 'code', code, 'id', r.id, 'unit', r.unit, 'amount', r.amount,
                'estimate', coalesce(r.estimate, r.amount), 'balance', balance, 'held', held, 'available', available,
                'needs', r.needs, 'low', coalesce(balance < r.recharge_below, false), 'recharge_on', r.recharge_below IS NOT NULL,
                'authorized_at', coalesce(r.placed_at, r.accepted_at, moment),
                'expires_at', coalesce(r.placed_until, coalesce(r.accepted_at, moment) + make_interval(secs => r.ttl)),
                'spend_limit', r.spend_limit, 'spent', spent, 'key_monthly', r.key_monthly, 'key_budget', r.key_budget,
                'key_month', r.key_month + of_key, 'key_total', r.key_total + of_key,
                'count', of_scope, 'count_limit', r.count_limit, 'count_scope', r.count_scope);
        END IF;
        outcomes := outcomes || outcome;
        IF r.idem IS NOT NULL AND code NOT IN ('recharge', 'again') THEN
            seen := seen || (r.owner::text || r.idem);
            IF code IN ('authorized', 'settled', 'insufficient_credits', 'credit_limit_reached', 'spending_limit_reached',
                        'key_limit_reached', 'monthly_count_reached', 'model_unavailable') THEN
                owners := owners || r.owner; idems := idems || r.idem; hashes := hashes || r.hash;
                kept := kept || cardinality(outcomes);
            END IF;
        END IF;
    END LOOP;

    IF cardinality(accepted) > 0 THEN
        PERFORM ledger_place_write(accepted, unlocked, keys <> '{}', moment);
    END IF;
    IF kept <> '{}' THEN
        INSERT INTO ledger_idempotencyrecord (owner, key, request_hash, result, created_at)
        SELECT owner, idem, hash, outcomes[place]::jsonb, moment FROM unnest(owners, idems, hashes, kept) AS k (owner, idem, hash, place);
    END IF;
    RETURN array_to_json(outcomes);
END $$;

-- When a request is accepted: now, and never in a month before the one that its account counts. So a clock that was set back across
-- a month's edge counts on in the later month, and starts no counter anew.
CREATE OR REPLACE FUNCTION ledger_accepted_at(counted_in date, moment timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT greatest(moment, counted_in::timestamp AT TIME ZONE 'UTC')
$$;

-- When the period began that a moment lies in, counted from the anchor itself: 31 January, 28 February, 31 March. Which period it
-- is, is decided here and not by whoever asks: their clock may be ahead.
CREATE OR REPLACE FUNCTION ledger_period_start(anchor timestamptz, moment timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT (a + make_interval(months => greatest(0, n - (a + make_interval(months => greatest(0, n)) > m)::int))) AT TIME ZONE 'UTC'
      FROM (SELECT a, m, ((extract(year FROM m) - extract(year FROM a)) * 12 + extract(month FROM m) - extract(month FROM a))::int AS n
              FROM (SELECT anchor AT TIME ZONE 'UTC' AS a, moment AT TIME ZONE 'UTC' AS m) utc) months
$$;

-- How many of what a plan counts an account has had since a moment; what failed or was given back whole does not count.
CREATE OR REPLACE FUNCTION ledger_counted(account uuid, scope text, since timestamptz) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT count(*) FROM ledger_charge
     WHERE account_id = account AND count_scope = scope AND authorized_at >= since
       AND (status = 'authorized' OR cost > refunded)
$$;

CREATE OR REPLACE FUNCTION ledger_place_write(
    accepted ledger_place_request[], unlocked uuid[], keys_limited boolean, moment timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    this_month date := date_trunc('month', moment AT TIME ZONE 'UTC')::date;
    settled ledger_entry[];
BEGIN
    UPDATE ledger_balance b
       SET held = b.held + placed.held, spend_month = greatest(b.spend_month, this_month),
           spend_accepted = placed.amount + CASE WHEN b.spend_month >= this_month THEN b.spend_accepted ELSE 0 END
      FROM (SELECT account, sum(amount)::bigint AS amount,
                   coalesce(sum(amount) FILTER (WHERE NOT settle_now), 0)::bigint AS held
              FROM unnest(accepted) WHERE account <> ALL (unlocked) GROUP BY account) placed
     WHERE b.account_id = placed.account;

    IF unlocked <> '{}' THEN
        INSERT INTO ledger_unfoldedhold (charge_id, account_id, amount, month)
        SELECT q.id, q.account, q.amount, greatest(b.spend_month, this_month)
          FROM unnest(accepted) AS q JOIN ledger_balance b ON b.account_id = q.account WHERE q.account = ANY (unlocked);
    END IF;
    IF keys_limited THEN
        UPDATE ledger_keylimit l
           SET month = placed.month, accepted = l.accepted + placed.amount,
               month_accepted = placed.amount + CASE WHEN l.month >= placed.month THEN l.month_accepted ELSE 0 END
          FROM (SELECT coalesce(k.limited_as, k.id) AS limit_key, sum(q.amount)::bigint AS amount,
                       greatest(this_month, max(b.spend_month)) AS month
                  FROM unnest(accepted) AS q JOIN accounts_apikey k ON k.id = q.api_key
                  JOIN ledger_balance b ON b.account_id = q.account GROUP BY 1) placed
         WHERE l.api_key_id = placed.limit_key;
    END IF;

    INSERT INTO ledger_charge (id, account_id, api_key_id, status, unit, amount, estimate, cost, uncollected, refunded,
                               model, operation, description, parameters, routing, estimate_lines, price_book_id, reference, reason, count_scope,
                               authorized_at, expires_at, finished_at)
    SELECT q.id, q.account, q.api_key, CASE WHEN q.settle_now THEN 'settled' ELSE 'authorized' END, b.unit, q.amount,
           q.estimate, CASE WHEN q.settle_now THEN q.amount END, 0, 0, q.model, q.operation, q.description, q.parameters,
           '{}', q.lines,
           q.price_book, q.reference, '', q.count_scope, a.at, a.at + make_interval(secs => q.ttl),
           CASE WHEN q.settle_now THEN a.at END
      FROM unnest(accepted) AS q JOIN ledger_balance b ON b.account_id = q.account,
           ledger_accepted_at(b.spend_month, moment) AS a (at);

    SELECT array_agg(ROW(q.txn, q.account, 'usage', -q.amount, 'revenue', q.description, q.id, q.reference, q.model, q.api_key,
                         NULL, NULL, NULL, moment)::ledger_entry)
      INTO settled FROM unnest(accepted) AS q WHERE q.settle_now;
    IF settled IS NOT NULL THEN
        PERFORM ledger_post(settled);
    END IF;
END $$;

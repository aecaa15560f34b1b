-- Settle, void and expire: ends many holds at once, each exactly once.
--
-- Takes a JSON array of ledger_finish_request, answers a JSON array of outcomes. A cost above the hold takes the difference from
-- what else is available; what the account cannot cover is recorded as uncollected and borne by the company.
-- billing/ledger/holds.py is its only caller.

DROP TYPE IF EXISTS ledger_finish_request CASCADE;
CREATE TYPE ledger_finish_request AS (
    i            int,
    id           uuid,      -- of the charge
    txn          uuid,      -- of the usage transaction, used by settle
    action       text,      -- settle, void or expire
    cost         bigint,    -- settle: what the work did cost, micros
    outputs      jsonb,
    lines        jsonb,
    routing      jsonb,
    reason       text,
    service_key  uuid,
    owner        uuid,
    idem         text,
    hash         text
);

CREATE OR REPLACE FUNCTION ledger_finish(requests jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz;
    wanted ledger_finish_request[];
    r record;
    done uuid[] := '{}';
    seen text[] := '{}';
    outcomes jsonb[] := '{}';
    finished jsonb[] := '{}';
    code text;
    current uuid;
    lapsing uuid[];         -- accounts with credits past their expiry
    keys_limited boolean := false;
    balance bigint; held bigint; room bigint; taken bigint; short bigint;
BEGIN
    SELECT array_agg(q) INTO wanted FROM jsonb_populate_recordset(NULL::ledger_finish_request, requests) q;
    PERFORM ledger_lock((SELECT array_agg(DISTINCT c.account_id) FROM unnest(wanted) q JOIN ledger_charge c ON c.id = q.id));
    moment := ledger_now();
    -- What has lapsed and backs no hold is posted first: a cost above the hold cannot take it.
    SELECT coalesce(array_agg(b.account_id), '{}') INTO lapsing
      FROM ledger_balance b WHERE b.next_expiry <= moment
       AND b.account_id IN (SELECT c.account_id FROM unnest(wanted) q JOIN ledger_charge c ON c.id = q.id);
    PERFORM ledger_expire(a, moment) FROM unnest(lapsing) AS a;

    FOR r IN
        SELECT q.*, c.account_id, c.status, c.amount, coalesce(c.estimate, c.amount) AS estimate,
               c.cost AS charged, c.uncollected, c.expires_at, c.unit,
               b.balance, b.held, b.credit_limit, b.recharge_below, l.api_key_id IS NOT NULL AS key_limited,
               (q.service_key IS NULL OR (s.id IS NOT NULL AND s.revoked_at IS NULL AND coalesce(s.expires_at > moment, true)))
                   AS key_valid,
               f.request_hash AS first_hash, f.result AS first_result
          FROM unnest(wanted) AS q
          LEFT JOIN ledger_charge c ON c.id = q.id
          LEFT JOIN ledger_balance b ON b.account_id = c.account_id
          LEFT JOIN accounts_apikey s ON s.id = q.service_key
          LEFT JOIN ledger_keylimit l ON l.api_key_id = c.api_key_id
          LEFT JOIN ledger_idempotencyrecord f ON f.owner = q.owner AND f.key = q.idem
         ORDER BY c.account_id, q.i
    LOOP
        IF r.account_id IS DISTINCT FROM current THEN
            current := r.account_id;
            balance := r.balance; held := r.held;
        END IF;
        taken := r.charged; short := r.uncollected;

        IF NOT r.key_valid THEN code := 'unauthorized';
        ELSIF r.first_hash IS NOT NULL THEN
            code := CASE WHEN r.first_hash <> r.hash THEN 'idempotency_conflict'
                         WHEN r.first_result IS NULL THEN 'idempotency_in_progress' ELSE 'replay' END;
        ELSIF r.status IS NULL THEN code := 'not_found';
        ELSIF r.id = ANY (done) OR (r.idem IS NOT NULL AND (r.owner::text || r.idem) = ANY (seen)) THEN code := 'again';
        ELSIF r.status = 'authorized' AND r.action = 'settle' THEN
            code := 'settled';
            room := greatest(0, balance - held + r.credit_limit);
            taken := least(r.cost, r.amount + room);
            short := r.cost - taken;
            balance := balance - taken; held := held - r.amount;
        ELSIF r.status = 'authorized' AND (r.action = 'void' OR r.expires_at <= moment) THEN
            code := 'voided'; taken := 0; short := 0;
            held := held - r.amount;
        ELSIF r.status IN ('settled', 'refunded') AND r.action = 'settle' AND r.cost = r.charged + r.uncollected THEN code := 'already';
        ELSIF r.status = 'voided' AND r.action = 'void' THEN code := 'already';
        ELSE code := 'invalid_state';
        END IF;

        IF code IN ('settled', 'voided') THEN
            done := done || r.id;
            keys_limited := keys_limited OR r.key_limited;
            finished := finished || jsonb_build_object('i', r.i, 'account', r.account_id, 'amount', r.amount, 'taken', taken,
                                                       'short', short, 'status', code);
        END IF;
        IF r.idem IS NOT NULL THEN
            seen := seen || (r.owner::text || r.idem);
        END IF;
        outcomes := outcomes || CASE WHEN code = 'replay'
            THEN r.first_result || jsonb_build_object('i', r.i, 'replayed', true)
            ELSE jsonb_build_object('i', r.i, 'code', code, 'id', r.id, 'account', r.account_id, 'status', r.status, 'unit', r.unit,
                'amount', r.amount, 'estimate', r.estimate, 'cost', taken, 'uncollected', short,
                'balance', balance, 'held', held,
                'available', balance - held + r.credit_limit,
                'low', coalesce(balance < r.recharge_below, false)) END;
    END LOOP;

    IF cardinality(finished) > 0 THEN
        PERFORM ledger_finish_write(wanted, finished, keys_limited, moment);
    END IF;
    IF lapsing <> '{}' THEN
        -- Holds that ended here may have kept credits alive past their expiry.
        PERFORM ledger_expire(a, moment) FROM unnest(lapsing) AS a;
        SELECT array_agg(CASE WHEN b.account_id IS NULL OR o ? 'replayed' THEN o ELSE o || jsonb_build_object(
                   'balance', b.balance, 'held', b.held, 'available', b.balance - b.held + b.credit_limit) END)
          INTO outcomes
          FROM unnest(outcomes) AS o
          LEFT JOIN ledger_balance b ON b.account_id = (o ->> 'account')::uuid AND b.account_id = ANY (lapsing);
    END IF;
    INSERT INTO ledger_idempotencyrecord (owner, key, request_hash, result, created_at)
    SELECT q.owner, q.idem, q.hash, o, moment
      FROM unnest(outcomes) AS o JOIN unnest(wanted) AS q ON q.i = (o ->> 'i')::int
     WHERE q.idem IS NOT NULL AND o ->> 'code' IN ('settled', 'voided', 'already') AND NOT o ? 'replayed';
    RETURN to_jsonb(outcomes);
END $$;

CREATE OR REPLACE FUNCTION ledger_finish_write(
    wanted ledger_finish_request[], finished jsonb[], keys_limited boolean, moment timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    this_month date := date_trunc('month', moment AT TIME ZONE 'UTC')::date;
    settled ledger_entry[];
BEGIN
    WITH ended AS (
        SELECT (f ->> 'i')::int AS i, (f ->> 'taken')::bigint AS taken, (f ->> 'short')::bigint AS short, f ->> 'status' AS status
          FROM unnest(finished) AS f
    ), changed AS (
        UPDATE ledger_charge c
           SET status = ended.status, cost = ended.taken, uncollected = ended.short, finished_at = moment,
               outputs = q.outputs, cost_lines = q.lines, routing = coalesce(q.routing, '{}'), reason = coalesce(q.reason, '')
          FROM ended JOIN unnest(wanted) AS q ON q.i = ended.i
         WHERE c.id = q.id
        RETURNING c.id, c.account_id, c.amount, c.cost, c.authorized_at, c.description, c.reference, c.model, c.api_key_id,
                  c.status, q.txn, q.i
    ), balances AS (
        -- The acceptance month counts: a hold of an earlier month changes nothing in this one.
        UPDATE ledger_balance b
           SET held = b.held - released.amount,
               spend_accepted = b.spend_accepted + CASE WHEN b.spend_month = this_month THEN released.spend ELSE 0 END
          FROM (SELECT account_id, sum(amount)::bigint AS amount,
                       coalesce(sum(cost - amount) FILTER (WHERE authorized_at >= this_month::timestamp AT TIME ZONE 'UTC'), 0)::bigint AS spend
                  FROM changed GROUP BY account_id) released
         WHERE b.account_id = released.account_id
    ), keys AS (
        UPDATE ledger_keylimit l
           -- A hold placed without the lock just before the key got its limit was not counted.
           SET accepted = greatest(0, l.accepted + released.total),
               month_accepted = greatest(0, l.month_accepted + CASE WHEN l.month = this_month THEN released.spend ELSE 0 END)
          FROM (SELECT api_key_id, sum(cost - amount)::bigint AS total,
                       coalesce(sum(cost - amount) FILTER (WHERE authorized_at >= this_month::timestamp AT TIME ZONE 'UTC'), 0)::bigint AS spend
                  FROM changed WHERE keys_limited GROUP BY api_key_id) released
         WHERE l.api_key_id = released.api_key_id
    )
    SELECT array_agg(ROW(txn, account_id, 'usage', -cost, 'revenue', description, id, reference, model, api_key_id,
                         NULL, NULL, NULL, authorized_at)::ledger_entry ORDER BY i) FILTER (WHERE status = 'settled')
      INTO settled FROM changed;
    IF settled IS NOT NULL THEN
        PERFORM ledger_post(settled);
    END IF;
END $$;

-- Settle, void and expire: ends many holds at once, each exactly once. Report: takes down what became of some phases of work that
-- goes on, and shrinks its hold.
--
-- Takes a JSON array of ledger_finish_request, answers a JSON array of outcomes. A cost above the hold takes the difference from
-- what else is available; what the account cannot cover is recorded as uncollected and borne by the company. A hold that times
-- out is voided, unless phases were reported until then that cost something: then that is what it is settled at.
-- billing/ledger/holds.py is its only caller.

DROP TYPE IF EXISTS ledger_finish_request CASCADE;
CREATE TYPE ledger_finish_request AS (
    i            int,
    id           uuid,      -- of the charge
    txn          uuid,      -- of the usage transaction, used by settle
    action       text,      -- settle, report, void or expire
    cost         bigint,    -- settle: what the work did cost, micros; report: what all that is reported comes to
    outputs      jsonb,
    lines        jsonb,
    routing      jsonb,
    reason       text,
    service_key  uuid,
    owner        uuid,
    idem         text,
    hash         text,
    phases       jsonb,     -- what became of which phases, by id; report: what is new or told again; settle: beside the cost
    known        int,       -- settle, report: how many reports the cost was priced with; null: none
    hold         bigint     -- report: what has to stay held for what is reported and what is still to come
);

-- A hold that ends or shrinks: what its row becomes, and what its account and key get back.
DROP TYPE IF EXISTS ledger_ended CASCADE;
CREATE TYPE ledger_ended AS (
    account      uuid,
    api_key      uuid,
    status       text,      -- settled, voided, or authorized still
    held         bigint,    -- what is no longer held
    taken        bigint,    -- what the account paid
    short        bigint,    -- what it could not pay
    is_recent    boolean,   -- accepted in the month that is counted: only then does its end change what that has spent
    request      ledger_finish_request
);

-- What was reported of a charge's phases, by phase. Each is reported once.
CREATE OR REPLACE FUNCTION ledger_told(reports jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(jsonb_object_agg(phase.key, phase.value), '{}')
      FROM jsonb_array_elements(reports) AS report, jsonb_each(report -> 'phases') AS phase
$$;

-- What was held for a charge at a moment at which it was open; amount is what is held after its last report.
CREATE OR REPLACE FUNCTION ledger_held_at(amount bigint, reports jsonb, moment timestamptz) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(max((report ->> 'held')::bigint) FILTER (WHERE (report ->> 'at')::timestamptz > moment), amount)
      FROM jsonb_array_elements(reports) AS report
$$;

DROP FUNCTION IF EXISTS ledger_finish(jsonb);
CREATE FUNCTION ledger_finish(requests jsonb) RETURNS json LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    moment timestamptz;
    soonest timestamptz;    -- when credits of one of the accounts lapse next
    this_month date;
    wanted ledger_finish_request[];
    accounts uuid[];
    r record;
    done uuid[] := '{}';
    seen text[] := '{}';
    outcomes jsonb[] := '{}';
    outcome jsonb;
    ended ledger_ended[] := '{}';
    entries ledger_entry[] := '{}';
    code text;
    current uuid;
    owners uuid[] := '{}'; idems text[] := '{}'; hashes text[] := '{}'; kept int[] := '{}';  -- which outcomes are kept for a key
    lapsing uuid[] := '{}'; -- accounts with credits past their expiry
    balance bigint; held bigint; cost bigint; taken bigint; short bigint; remains bigint;
BEGIN
    SELECT array_agg(q), array_agg(c.account_id) INTO wanted, accounts
      FROM jsonb_populate_recordset(NULL::ledger_finish_request, requests) q LEFT JOIN ledger_charge c ON c.id = q.id;
    soonest := ledger_lock(accounts);
    moment := ledger_now();
    this_month := date_trunc('month', moment AT TIME ZONE 'UTC')::date;
    IF soonest <= moment THEN
        -- What has lapsed and backs no hold is posted first: a cost above the hold cannot take it.
        lapsing := ARRAY(SELECT account_id FROM ledger_balance WHERE account_id = ANY (accounts) AND next_expiry <= moment);
        PERFORM ledger_expire(a, moment) FROM unnest(lapsing) AS a;
        IF lapsing <> '{}' AND jsonb_array_length(requests) > 1 THEN
            -- What a hold that ends had kept lapses before the next request is decided: one after the other.
            RETURN (SELECT json_agg(ledger_finish(jsonb_build_array(q)) -> 0 ORDER BY place)
                      FROM jsonb_array_elements(requests) WITH ORDINALITY AS each (q, place));
        END IF;
    END IF;

    FOR r IN
        SELECT q.*, q AS request, c.account_id, c.status, c.amount, coalesce(c.estimate, c.amount) AS estimate,
               c.cost AS charged, c.uncollected, c.expires_at, c.authorized_at, c.unit, c.api_key_id, c.description, c.reference,
               c.model, c.routing AS routed, coalesce(jsonb_array_length(c.reports), 0) AS reported,
               CASE WHEN c.reports IS NULL THEN '{}' ELSE ledger_told(c.reports) END AS told,
               c.reports, (c.reports -> -1 ->> 'cost')::bigint AS earned, b.balance, b.held, b.credit_limit, b.recharge_below,
               b.spend_month,
               (q.service_key IS NULL OR (s.id IS NOT NULL AND s.revoked_at IS NULL AND coalesce(s.expires_at > moment, true)))
                   AS key_valid,
               f.request_hash AS first_hash, f.result AS first_result
          FROM unnest(wanted) AS q
          LEFT JOIN ledger_charge c ON c.id = q.id
          LEFT JOIN ledger_balance b ON b.account_id = c.account_id
          LEFT JOIN accounts_apikey s ON s.id = q.service_key
          LEFT JOIN ledger_idempotencyrecord f ON f.owner = q.owner AND f.key = q.idem
         ORDER BY c.account_id, q.i
    LOOP
        IF r.account_id IS DISTINCT FROM current THEN
            current := r.account_id;
            balance := r.balance; held := r.held;
        END IF;
        taken := r.charged; short := r.uncollected; remains := r.amount;

        IF NOT r.key_valid THEN code := 'unauthorized';
        ELSIF r.first_hash IS NOT NULL THEN
            code := CASE WHEN r.first_hash <> r.hash THEN 'idempotency_conflict'
                         WHEN r.first_result IS NULL THEN 'idempotency_in_progress' ELSE 'replay' END;
        ELSIF r.status IS NULL THEN code := 'not_found';
        ELSIF r.id = ANY (done) OR (r.idem IS NOT NULL AND (r.owner::text || r.idem) = ANY (seen)) THEN code := 'again';
        ELSIF r.status = 'authorized' AND r.told || r.phases <> r.phases || r.told THEN code := 'reported_otherwise';
        ELSIF r.status = 'authorized' AND r.action = 'report' AND r.told || r.phases = r.told THEN
            code := 'repeated';
        ELSIF r.status <> 'voided' AND r.action IN ('settle', 'report') AND coalesce(r.known, 0) <> r.reported THEN
            -- Priced without a report that came meanwhile: the caller prices it anew.
            code := 'stale';
        ELSIF r.status = 'authorized' AND r.action = 'report' THEN
            code := 'reported'; taken := 0; short := 0;
            remains := least(r.amount, r.hold);
            held := held - r.amount + remains;
        ELSIF r.status = 'authorized' AND (r.action = 'settle' OR r.action = 'expire' AND r.expires_at <= moment AND r.earned > 0) THEN
            code := 'settled';
            cost := CASE r.action WHEN 'settle' THEN r.cost ELSE r.earned END;
            taken := least(cost, r.amount + greatest(0, balance - held + r.credit_limit));
            short := cost - taken;
            balance := balance - taken; held := held - r.amount; remains := 0;
            entries := entries || ROW(r.txn, r.account_id, 'usage', -taken, 'revenue', r.description, r.id, r.reference, r.model,
                                      r.api_key_id, NULL, NULL, NULL, r.authorized_at)::ledger_entry;
        ELSIF r.status = 'authorized' AND (r.action = 'void' OR r.expires_at <= moment) THEN
            code := 'voided'; taken := 0; short := 0;
            held := held - r.amount; remains := 0;
        ELSIF r.status IN ('settled', 'refunded') AND r.action = 'settle' AND r.cost = r.charged + r.uncollected THEN code := 'already';
        ELSIF r.status = 'voided' AND r.action = 'void' THEN code := 'already';
        ELSE code := 'invalid_state';
        END IF;

        IF code IN ('settled', 'voided', 'reported') THEN
            done := done || r.id;
            ended := ended || ROW(r.account_id, r.api_key_id, CASE code WHEN 'reported' THEN r.status ELSE code END, r.amount - remains,
                                  taken, short, r.authorized_at AT TIME ZONE 'UTC' >= greatest(this_month, r.spend_month), r.request)::ledger_ended;
        END IF;
        IF code = 'replay' THEN
            outcome := r.first_result || jsonb_build_object('i', r.i, 'replayed', true);
        ELSE
            outcome := jsonb_build_object('i', r.i, 'code', code, 'id', r.id, 'account', r.account_id, 'status', r.status,
                'unit', r.unit, 'amount', r.amount, 'estimate', r.estimate, 'cost', taken, 'uncollected', short,
                'balance', balance, 'held', held, 'available', balance - held + r.credit_limit,
                'low', r.action <> 'report' AND coalesce(balance < r.recharge_below, false));
            IF code IN ('already', 'repeated') THEN
                outcome := outcome || jsonb_build_object('routing', r.routed);
            ELSIF code = 'reported' OR r.reported > 0 THEN
                outcome := outcome || jsonb_build_object('routing', r.routed || coalesce(r.routing, '{}'));
            END IF;
            IF code = 'reported' THEN
                outcome := outcome || jsonb_build_object('cost', r.cost, 'hold', remains, 'returned', r.amount - remains);
            ELSIF code = 'repeated' THEN
                outcome := outcome || jsonb_build_object('cost', r.earned, 'hold', remains, 'returned',
                    (SELECT (report ->> 'returned')::bigint FROM jsonb_array_elements(r.reports) AS report
                      WHERE report -> 'phases' ?| ARRAY(SELECT jsonb_object_keys(r.phases)) LIMIT 1));
            ELSIF code = 'reported_otherwise' THEN
                outcome := outcome || jsonb_build_object('phases', ARRAY(
                    SELECT key FROM jsonb_each(r.phases) WHERE r.told ? key AND r.told -> key <> value));
            END IF;
        END IF;
        outcomes := outcomes || outcome;
        IF r.idem IS NOT NULL THEN
            seen := seen || (r.owner::text || r.idem);
            IF code IN ('settled', 'voided', 'already', 'reported', 'repeated') THEN
                owners := owners || r.owner; idems := idems || r.idem; hashes := hashes || r.hash;
                kept := kept || cardinality(outcomes);
            END IF;
        END IF;
    END LOOP;

    IF cardinality(ended) > 0 THEN
        PERFORM ledger_finish_write(ended, entries, this_month, moment);
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
    IF kept <> '{}' THEN
        INSERT INTO ledger_idempotencyrecord (owner, key, request_hash, result, created_at)
        SELECT owner, idem, hash, outcomes[place], moment FROM unnest(owners, idems, hashes, kept) AS k (owner, idem, hash, place);
    END IF;
    RETURN array_to_json(outcomes);
END $$;

CREATE FUNCTION ledger_finish_write(
    ended ledger_ended[], entries ledger_entry[], this_month date, moment timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ledger_charge c
       SET status = e.status, cost = e.taken, uncollected = e.short, finished_at = greatest(moment, c.authorized_at),
           outputs = coalesce((e.request).outputs, c.outputs),
           -- What timed out and is charged all the same has the lines of its last report.
           cost_lines = CASE WHEN (e.request).action = 'expire' AND e.status = 'settled' THEN c.cost_lines ELSE (e.request).lines END,
           routing = c.routing || coalesce((e.request).routing, '{}'), reason = coalesce((e.request).reason, '')
      FROM unnest(ended) AS e
     WHERE c.id = (e.request).id AND e.status <> 'authorized';

    IF EXISTS (SELECT 1 FROM unnest(ended) AS e WHERE e.status = 'authorized') THEN
        PERFORM ledger_report_write(ended, moment);
    END IF;

    UPDATE ledger_balance b
       SET held = b.held - released.held,
           spend_accepted = b.spend_accepted + CASE WHEN b.spend_month >= this_month THEN released.spend ELSE 0 END
      FROM (SELECT account, sum(held)::bigint AS held,
                   coalesce(sum(taken - held) FILTER (WHERE is_recent), 0)::bigint AS spend
              FROM unnest(ended) GROUP BY account) released
     WHERE b.account_id = released.account;

    IF EXISTS (SELECT 1 FROM ledger_keylimit WHERE account_id IN (SELECT account FROM unnest(ended))) THEN
        UPDATE ledger_keylimit l
           -- A hold placed without the lock just before the key got its limit was not counted.
           SET accepted = greatest(0, l.accepted + released.total),
               month_accepted = greatest(0, l.month_accepted + CASE WHEN l.month >= this_month THEN released.spend ELSE 0 END)
          FROM (SELECT coalesce(k.limited_as, k.id) AS limit_key, sum(e.taken - e.held)::bigint AS total,
                       coalesce(sum(e.taken - e.held) FILTER (WHERE e.is_recent), 0)::bigint AS spend
                  FROM unnest(ended) AS e JOIN accounts_apikey k ON k.id = e.api_key GROUP BY 1) released
         WHERE l.api_key_id = released.limit_key;
    END IF;
    IF entries <> '{}' THEN
        PERFORM ledger_post(entries);
    END IF;
END $$;

-- Takes down the reports of work that goes on: what all that is reported comes to, and what is still held. Each report says what
-- was held before it and what it gave back, so that what was held at any moment stays known.
CREATE FUNCTION ledger_report_write(ended ledger_ended[], moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ledger_charge c
       SET amount = c.amount - e.held, estimate = coalesce(c.estimate, c.amount), outputs = (e.request).outputs,
           cost_lines = (e.request).lines, routing = c.routing || coalesce((e.request).routing, '{}'),
           reports = coalesce(c.reports, '[]') || jsonb_build_object(
               'at', greatest(moment, c.authorized_at), 'held', c.amount, 'returned', e.held, 'cost', (e.request).cost,
               'phases', (e.request).phases - ARRAY(SELECT jsonb_object_keys(ledger_told(c.reports))))
      FROM unnest(ended) AS e
     WHERE c.id = (e.request).id AND e.status = 'authorized';
END $$;

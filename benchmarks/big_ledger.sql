-- A ledger of any size, for reading: functions that fill one quickly. Triggers are off while they run, and nothing here goes through
-- the writer, so balances, postings and hashes are not those of a real history; nothing that is measured reads them.

CREATE FUNCTION bench_id(kind text, number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT ('00000000-0000-7000-' || kind || '-' || lpad(to_hex(number), 12, '0'))::uuid
$$;

-- The account of the n-th transaction and its number there: one in ten is account 1's, the rest go round.
CREATE FUNCTION bench_place(n bigint, others int, OUT account bigint, OUT seq bigint) LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN n % 10 = 0 THEN 1 ELSE 2 + (n - 1 - n / 10) % others END,
           CASE WHEN n % 10 = 0 THEN n / 10 ELSE (n - 1 - n / 10) / others + 1 END
$$;

CREATE FUNCTION bench_accounts(others int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts_billingaccount (id, name, email, profile, plan, mode, unit, status, created_at)
    SELECT bench_id('8000', g), 'Bench ' || g, 'bench' || g || '@example.com', 'images', '', 'prepaid', 'EUR', 'active',
           now() - interval '91 days' FROM generate_series(1, others + 1) g;
    INSERT INTO ledger_balance (account_id, unit, balance, held, credit_limit, overdraft, is_open, seq, spend_accepted, head)
    SELECT id, 'EUR', 1000000000000, 0, 0, 0, true, 0, 0, decode(repeat('00', 32), 'hex') FROM accounts_billingaccount;
END $$;

-- Transactions number `first` to `last` of `total`, spread evenly over the last 90 days. One in a thousand of an account's is a
-- top-up, one in a hundred a refund; one in ten thousand is of a model that is rarely used.
CREATE FUNCTION bench_fill(first bigint, last bigint, total bigint, others int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE made ON COMMIT DROP AS
    SELECT n, bench_id('a000', n) AS id, bench_id('8000', place.account) AS account, place.seq,
           CASE WHEN place.seq % 1000 = 1 THEN 'topup' WHEN place.seq % 100 = 2 THEN 'refund' ELSE 'usage' END AS kind,
           CASE WHEN place.seq % 10000 = 5000 THEN 'rare' ELSE (ARRAY['flux-2-pro', 'veo-3-1', 'seedream-4-5', 'z-image-turbo',
                'gpt-image-2'])[1 + (place.seq * 7 / 3) % 5] END AS model,
           (ARRAY['generate', 'upscale', 'edit'])[1 + (place.seq / 5) % 3] AS operation,
           bench_id('9000', 1 + (place.seq / 11) % 3) AS key,
           10000 + (place.seq * 7919) % 60000 AS cost,
           date_trunc('second', now()) - interval '90 days' + interval '90 days' * (n::double precision / total) AS moment
      FROM generate_series(first, last) n CROSS JOIN LATERAL bench_place(n, others) place;

    INSERT INTO ledger_charge (id, account_id, api_key_id, status, unit, amount, cost, uncollected, refunded, model, operation,
                               description, parameters, routing, estimate_lines, cost_lines, reference, reason, authorized_at,
                               expires_at, finished_at)
    SELECT id, account, key, 'settled', 'EUR', cost + (n % 3) * 500, cost, 0, 0, model, operation, 'Image', '{"count": 1}',
           '{"provider": "p1"}', '[]', '[]', 'job-' || n, '', moment - interval '4 seconds', moment + interval '1 hour', moment
      FROM made WHERE kind <> 'topup';

    INSERT INTO ledger_transaction (id, account_id, seq, kind, amount, balance_after, unit, description, charge_id, reference,
                                    model, api_key_id, details, created_at, hash)
    SELECT id, account, seq, kind, CASE kind WHEN 'usage' THEN -cost WHEN 'topup' THEN 50000000 ELSE cost END, 1000000000000,
           'EUR', CASE kind WHEN 'topup' THEN 'Top-up' ELSE 'Image' END, CASE WHEN kind <> 'topup' THEN id END,
           'job-' || n, CASE WHEN kind <> 'topup' THEN model ELSE '' END, CASE WHEN kind <> 'topup' THEN key END, '{}', moment,
           decode(repeat('00', 32), 'hex')
      FROM made;

    UPDATE ledger_balance b SET seq = greatest(b.seq, m.seq)
      FROM (SELECT account, max(seq) AS seq FROM made GROUP BY 1) m WHERE b.account_id = m.account;
    DROP TABLE made;
END $$;

-- Every account's days at once; ledger_fold takes one account after the other.
CREATE FUNCTION bench_fold() RETURNS void LANGUAGE sql AS $$
    INSERT INTO ledger_usageday (account_id, day, unit, kind, model, operation, api_key_id, count, amount, first_seq, last_seq)
    SELECT t.account_id, (t.created_at AT TIME ZONE 'UTC')::date, t.unit, t.kind, t.model, coalesce(c.operation, ''), t.api_key_id,
           count(*), sum(t.amount), min(t.seq), max(t.seq)
      FROM ledger_transaction t LEFT JOIN ledger_charge c ON c.id = t.charge_id
     GROUP BY 1, 2, 3, 4, 5, 6, 7;
    INSERT INTO ledger_usagefold (account_id, seq) SELECT account_id, seq FROM ledger_balance;
$$;

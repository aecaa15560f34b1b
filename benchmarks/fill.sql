-- Accounts that never run dry, with one grant each, and a function that gives them a past.
CREATE FUNCTION bench_id(kind text, number int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT ('00000000-0000-7000-' || kind || '-' || lpad(to_hex(number), 12, '0'))::uuid
$$;
INSERT INTO accounts_billingaccount (id, name, email, profile, plan, mode, unit, status, created_at)
SELECT bench_id('8000', g), 'Bench', 'bench@example.com', 'images', '', 'prepaid', 'EUR', 'active', now()
  FROM generate_series(1, :accounts) g;
INSERT INTO ledger_balance (account_id, unit, balance, held, credit_limit, overdraft, is_open, seq, spend_accepted, head)
SELECT id, 'EUR', 0, 0, 0, 0, true, 0, 0, decode(repeat('00', 32), 'hex') FROM accounts_billingaccount;
SELECT ledger_post(ARRAY(
    SELECT ROW(bench_id('b000', g), bench_id('8000', g), 'topup', 1000000000000, 'stripe_clearing', 'Top-up', NULL, '', '', NULL,
               NULL, '{}', NULL, NULL)::ledger_entry FROM generate_series(1, :accounts) g));
-- The last thousand accounts have what they have in twenty grants, the others in one.
INSERT INTO ledger_grant (id, account_id, unit, source, amount, remaining, is_spent, priority, transaction_id, reference, created_at)
SELECT bench_id('c000', g * 20 + part), bench_id('8000', g), 'EUR', 'topup', 1000000000000 / parts, 1000000000000 / parts, false, 50,
       bench_id('b000', g), '', now()
  FROM generate_series(1, :accounts) g
 CROSS JOIN LATERAL (SELECT CASE WHEN g > :accounts - 1000 THEN 20 ELSE 1 END AS parts) many
 CROSS JOIN LATERAL generate_series(0, parts - 1) part;
CREATE FUNCTION bench_past(charges int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR batch IN 1 .. charges / 500 LOOP
        PERFORM ledger_place((SELECT jsonb_agg(jsonb_build_object('i', g, 'id', gen_random_uuid(), 'txn', gen_random_uuid(),
            'account', bench_id('8000', 1 + (batch * 500 + g) % 10000), 'amount', 40000, 'needs', 0, 'settle_now', true, 'ttl', 600,
            'model', 'm', 'operation', 'generate', 'description', 'Image', 'parameters', '{}'::jsonb, 'lines', '[]'::jsonb,
            'reference', '', 'recharge', false)) FROM generate_series(1, 500) g));
    END LOOP;
END $$;

-- pgbench script: one authorize and one settle, the two calls of the hot path, one at a time, on accounts :first to :last.
\set account random(:first, :last)
SELECT ledger_place(jsonb_build_array(jsonb_build_object('i', 0, 'id', gen_random_uuid(), 'txn', gen_random_uuid(),
    'account', bench_id('8000', :account::int), 'api_key', bench_id('9000', :account::int), 'service_key', bench_id('a000', 1),
    'amount', 40000, 'needs', 0, 'settle_now', false, 'ttl', 600, 'model', 'm', 'operation', 'generate', 'description', 'Image',
    'parameters', '{}'::jsonb, 'lines', '[]'::jsonb, 'reference', '', 'recharge', true))) -> 0 ->> 'id' AS id \gset
SELECT ledger_finish(jsonb_build_array(jsonb_build_object('i', 0, 'id', :id::text, 'txn', gen_random_uuid(), 'action', 'settle',
    'cost', 30000, 'service_key', bench_id('a000', 1), 'reason', '')));

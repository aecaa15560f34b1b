-- One plan for good: the calls below always look up a handful of rows by key, so a plan made while the tables were small
-- (a sequential scan) or made anew for every call (more work than the call itself) is never what is wanted.
ALTER FUNCTION ledger_place(jsonb) SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION ledger_place(jsonb) SET enable_seqscan = off;
ALTER FUNCTION ledger_place(jsonb) SET enable_hashjoin = off;
ALTER FUNCTION ledger_place(jsonb) SET enable_mergejoin = off;
ALTER FUNCTION ledger_place(jsonb) SET jit = off;
ALTER FUNCTION ledger_finish(jsonb) SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION ledger_finish(jsonb) SET enable_seqscan = off;
ALTER FUNCTION ledger_finish(jsonb) SET enable_hashjoin = off;
ALTER FUNCTION ledger_finish(jsonb) SET enable_mergejoin = off;
ALTER FUNCTION ledger_finish(jsonb) SET jit = off;

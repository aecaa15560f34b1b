-- The ledger's clock. Tests move it with  SET ledger.now = '…';  nothing else ever sets it.
CREATE OR REPLACE FUNCTION ledger_now() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(current_setting('ledger.now', true), '')::timestamptz, clock_timestamp())
$$;

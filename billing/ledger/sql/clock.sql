-- The ledger's clock. Tests move it with  SET ledger.now = '…';  nothing else ever sets it.
CREATE OR REPLACE FUNCTION ledger_now() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(current_setting('ledger.now', true), '')::timestamptz, clock_timestamp())
$$;

-- A time-ordered id (UUIDv7) for what the database itself posts.
CREATE OR REPLACE FUNCTION ledger_new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(
        uuid_send(gen_random_uuid()) PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
        FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

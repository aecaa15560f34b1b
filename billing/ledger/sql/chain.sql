-- Each account's history is a chain: a transaction's hash covers its own columns and the hash before it, the first one's 32 zero
-- bytes. Whoever changes, removes or inserts a past row breaks every hash after it. ledger_balance.head is the last one.

-- The columns as one JSON array. Python's json.dumps(columns, ensure_ascii=False) gives the same text.
CREATE OR REPLACE FUNCTION ledger_text(
    id uuid, account_id uuid, seq bigint, kind text, amount bigint, balance_after bigint, unit text, description text,
    charge_id uuid, reference text, model text, api_key_id uuid, key text, details jsonb, created_at timestamptz
) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT json_build_array(
        seq, id, account_id, kind, amount, balance_after, unit, description, charge_id, reference, model, api_key_id, key,
        CASE WHEN details = '{}' THEN '' ELSE details::text END,
        to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text
$$;

-- The same of a stored transaction.
CREATE OR REPLACE FUNCTION ledger_text(t ledger_transaction) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT ledger_text(t.id, t.account_id, t.seq, t.kind, t.amount, t.balance_after, t.unit, t.description, t.charge_id,
                       t.reference, t.model, t.api_key_id, t.key, t.details, t.created_at)
$$;

CREATE OR REPLACE FUNCTION ledger_link(previous bytea, head bytea, content text) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN sha256(coalesce(previous, head) || convert_to(content, 'UTF8'));
END $$;

-- ledger_chain(head, content) OVER (ORDER BY seq): the hash of every row in turn, where head is the hash before the first.
CREATE OR REPLACE AGGREGATE ledger_chain(head bytea, content text) (sfunc = ledger_link, stype = bytea);

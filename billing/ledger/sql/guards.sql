-- History is never edited: transactions and postings refuse UPDATE, DELETE and TRUNCATE, whoever asks.
CREATE OR REPLACE FUNCTION ledger_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger history is append-only: % on % refused; post the opposite instead', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE OR REPLACE TRIGGER transaction_append_only BEFORE UPDATE OR DELETE ON ledger_transaction
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_edit();
CREATE OR REPLACE TRIGGER transaction_no_truncate BEFORE TRUNCATE ON ledger_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_edit();
CREATE OR REPLACE TRIGGER posting_append_only BEFORE UPDATE OR DELETE ON ledger_posting
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_edit();
CREATE OR REPLACE TRIGGER posting_no_truncate BEFORE TRUNCATE ON ledger_posting
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_edit();

-- Every transaction adds up to zero per unit. Postings arrive in one statement per batch and never change,
-- so a check of each statement's own rows covers the whole table, by induction.
CREATE OR REPLACE FUNCTION ledger_check_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM added GROUP BY transaction_id, unit HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'postings of a transaction do not add up to zero' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER posting_balanced AFTER INSERT ON ledger_posting
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_balanced();

-- What an account may owe and spend is one figure each on its balance row. Whoever changes one leaves a row here, so that a balance as of an
-- instant, and reconcile, know what held then. Nothing a request does sets these columns, so no request pays for it.
CREATE OR REPLACE FUNCTION ledger_note_limits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger_limitchange (account_id, since, credit_limit, spend_limit)
    VALUES (NEW.account_id, CASE WHEN TG_OP = 'UPDATE' THEN ledger_now() END, NEW.credit_limit, NEW.spend_limit);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER limits_noted_at_first AFTER INSERT ON ledger_balance
    FOR EACH ROW EXECUTE FUNCTION ledger_note_limits();
CREATE OR REPLACE TRIGGER limits_noted AFTER UPDATE OF credit_limit, spend_limit ON ledger_balance
    FOR EACH ROW WHEN ((OLD.credit_limit, OLD.spend_limit) IS DISTINCT FROM (NEW.credit_limit, NEW.spend_limit))
    EXECUTE FUNCTION ledger_note_limits();
CREATE OR REPLACE TRIGGER limitchange_append_only BEFORE UPDATE OR DELETE ON ledger_limitchange
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_edit();
CREATE OR REPLACE TRIGGER limitchange_no_truncate BEFORE TRUNCATE ON ledger_limitchange
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_edit();

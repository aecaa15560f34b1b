"""From what the ledger decided to the refusal a caller hears."""

from billing import errors
from billing.ledger.holds import Outcome
from billing.selectors.identities import Identity
from billing.services import quotes
from billing.services.key_limits import stop_of
from billing.services.remedies import raise_key_limit, ways_out
from catalog import snapshot
from catalog.pricing.units import CREDIT, micros_to_text


def place_refusal(outcome: Outcome, customer: Identity) -> errors.Refusal:
    """Why an authorize was refused."""
    if outcome["code"] == "monthly_count_reached":
        refusal: errors.Refusal = quotes.count_refusal(
            customer, outcome["count_scope"], outcome["count_limit"]
        )
    else:
        refusal = _common(outcome) or _money(outcome, customer)
    refusal.replayed = "replayed" in outcome
    return refusal


def finish_refusal(outcome: Outcome) -> errors.Refusal:
    """Why a settle or void was refused."""
    refusal = _common(outcome)
    if outcome["code"] == "reported_otherwise":
        phases = sorted(outcome["phases"])
        refusal = errors.InvalidState(
            f"A phase is reported once, and of {', '.join(phases)} something else was reported before.",
            phases=phases,
        )
    elif refusal is None:
        status, cost = outcome["status"], outcome["cost"]
        charged = f" at {micros_to_text(cost)}" if status in ("settled", "refunded") else ""
        refusal = errors.InvalidState(f"This charge is already {status}{charged}.", status_now=status)
    refusal.replayed = "replayed" in outcome
    return refusal


def unknown_key() -> errors.Unauthorized:
    """A key that is well formed and opens nothing."""
    return errors.Unauthorized("This API key is unknown, expired or revoked. Create another under API keys.")


def key_of_another_request() -> errors.IdempotencyConflict:
    """The same Idempotency-Key with another body."""
    return errors.IdempotencyConflict(
        "This Idempotency-Key was used for another request. Use a new key for a new request."
    )


def first_still_running() -> errors.IdempotencyInProgress:
    """The same Idempotency-Key before its first answer is there."""
    return errors.IdempotencyInProgress(
        "The first request with this key is still running. Try again shortly."
    )


def _common(outcome: Outcome) -> errors.Refusal | None:
    match outcome["code"]:
        case "unauthorized":
            return unknown_key()
        case "idempotency_conflict":
            return key_of_another_request()
        case "idempotency_in_progress":
            return first_still_running()
        case "not_found":
            return errors.NotFound("There is no such account or charge.")
        case "unit_changed":
            return errors.ServiceUnavailable(
                "This account has just changed how it pays. Send the same request again."
            )
        case "stale":
            return errors.ServiceUnavailable(
                "Others are reporting phases of this work. Send the same request again."
            )
        case "closed":
            return errors.Forbidden("This account is closed.")
    return None


def _said(micros: int, unit: str) -> str:
    """An amount as a sentence has it: 1 credit, 0.5 credits, 0.64 EUR."""
    named = unit if unit != CREDIT else "credit" if micros == 1_000_000 else "credits"
    return f"{micros_to_text(micros)} {named}"


def _key_limit(outcome: Outcome, customer: Identity) -> errors.SpendingLimitReached:
    """The key's own limit, named with what is left of it; the way out is the page that raises it."""
    stop = stop_of(outcome)
    which = "monthly limit" if stop.period == "month" else "total budget"
    unit, required, left = outcome["unit"], outcome["amount"], micros_to_text(stop.left)
    return errors.SpendingLimitReached(
        f"This would pass this API key's {which} of {_said(stop.limit, unit)}: "
        f"{_said(required, unit)} needed, {left} left of it.",
        required=micros_to_text(required),
        available=left,
        unit=unit,
        remedies=[raise_key_limit(customer.key_id)],
    )


def _money(outcome: Outcome, customer: Identity) -> errors.Refusal:
    code, unit = outcome["code"], outcome["unit"]
    if code == "insufficient_credits" and customer.mode == "postpaid":
        # What keeps it from generating now and paying later is its limit, also where that is still 0.
        code = "credit_limit_reached"
    needed = _said(outcome["amount"], unit)
    required, available = micros_to_text(outcome["amount"]), micros_to_text(outcome["available"])
    if code == "model_unavailable":
        return errors.ModelUnavailable(
            f"This model and size need at least {_said(outcome['needs'], unit)} available; "
            f"this account has {available}. Add funds to open them.",
            opens={"available": micros_to_text(outcome["needs"])},
            required=micros_to_text(outcome["needs"]),
            available=available,
            unit=unit,
        )
    if code == "key_limit_reached":
        return _key_limit(outcome, customer)
    if code == "spending_limit_reached":
        available = micros_to_text(max(0, outcome["spend_limit"] - outcome["spent"]))
        detail = f"This would pass the monthly spending limit: {needed} needed, {available} left of it."
        kind: type[errors.Refusal] = errors.SpendingLimitReached
    elif code == "credit_limit_reached":
        detail = f"This would pass the credit limit: {needed} needed, {available} left of it."
        kind = errors.CreditLimitReached
    else:
        detail = f"This costs {needed}; {available} are available."
        kind = errors.InsufficientCredits
    terms = snapshot.current().terms(customer.profile)
    highest = terms.spending_limit.max if terms.spending_limit and unit != CREDIT else None
    return kind(
        detail,
        required=required,
        available=available,
        unit=unit,
        remedies=ways_out(
            code,
            terms=terms,
            mode=customer.mode,
            recharge_on=bool(outcome.get("recharge_on")),
            limit_at_most=highest is not None and (outcome["spend_limit"] or 0) >= highest,
        ),
    )

"""What changing how an account pays would do, said before it is done."""

from dataclasses import dataclass

from accounts.models import BillingAccount
from billing.errors import Refusal
from billing.ledger import balances, grants
from billing.ledger.models import Transaction
from billing.models import ModeChange
from billing.services import credit_limits, modes
from billing.services.modes import PAY_LATER, Asked
from catalog import snapshot
from catalog.terms import Plan


@dataclass(frozen=True, slots=True)
class Preview:
    """Micros of ``unit_from``: ``invoiced`` now and ``set_aside``; of ``unit_to``: ``back`` and the usual ``limit``.

    ``refusal``: why it cannot be done yet and what to do about it; "" when it can.
    """

    mode: str
    unit_from: str
    unit_to: str
    invoiced: int
    set_aside: int
    back: int
    limit: int
    plan: Plan | None
    pauses: bool
    refusal: str
    running: int
    """How many requests are in the way of it."""

    @property
    def changes_unit(self) -> bool:
        return self.unit_from != self.unit_to


def preview(account: BillingAccount, mode: str) -> Preview:
    """What ``modes.switch`` would do now. Raises InvalidRequest for a way the profile does not have."""
    terms = snapshot.current().terms(account.profile)
    modes.known_mode(terms, mode)
    standing = balances.of(account.pk)
    unit = terms.unit_for(mode)
    refusal, running, plan = "", 0, None
    try:
        modes.refuse(account, terms, Asked(mode=mode, limit=0))
        slug = modes.plan_to_return_to(account, terms) if mode == "subscription" else None
        plan = terms.plan(slug) if slug else None
    except Refusal as refused:
        refusal, running = refused.detail, refused.extra.get("open_requests", 0)
    if mode == "postpaid":
        limit = credit_limits.limit_of(account)
    else:
        limit = terms.spending_limit.default if terms.spending_limit else 0
    return Preview(
        mode=mode,
        unit_from=account.unit,
        unit_to=unit,
        invoiced=max(0, -standing.balance) if account.mode in PAY_LATER else 0,
        set_aside=max(0, standing.balance) if unit != account.unit else 0,
        back=_waiting(account, unit) if unit != account.unit else 0,
        limit=limit,
        plan=plan,
        pauses=account.mode == "subscription" and bool(account.plan),
        refusal=refusal,
        running=running,
    )


def _waiting(account: BillingAccount, unit: str) -> int:
    """What was set aside in that unit and is not back yet, micros."""
    last = modes.last_left(account, unit)
    if last is None or last.set_aside_id is None or grants.posted(modes.back_key(last)) is not None:
        return 0
    return -Transaction.objects.get(pk=last.set_aside_id).amount


def history(account: BillingAccount) -> list[ModeChange]:
    """How the account's ways of paying followed each other, newest first."""
    return list(ModeChange.objects.filter(account=account).select_related("by")[:20])

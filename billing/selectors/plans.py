"""How an account pays, what its plan includes, and the plans of its profile side by side."""

from dataclasses import dataclass
from typing import Final

from accounts.models import BillingAccount
from billing.money_text import NARROW_SPACE, count_text, money_text
from catalog import snapshot
from catalog.pricing.units import CREDIT
from catalog.terms import Plan, Terms

MODES: Final[dict[str, tuple[str, str]]] = {
    "prepaid": (
        "Prepaid",
        "You pay in advance: each request is taken from your balance, and when that is used up, requests stop until "
        "you add credits.",
    ),
    "subscription": (
        "Monthly plan",
        "You pay for a plan each month, and requests use its credits.",
    ),
    "metered": (
        "Pay-per-use",
        "You pay for what you use, each operation at its listed price: no commitment, under a monthly spending limit.",
    ),
    "postpaid": (
        "Postpaid",
        "You generate now and pay an invoice for it each month.",
    ),
}
"""Mode of an account → its name and how it pays, said in a sentence."""


@dataclass(frozen=True, slots=True)
class Included:
    """One thing a plan has, or with ``has`` False what it lacks."""

    text: str
    has: bool = True


@dataclass(frozen=True, slots=True)
class PlanCard:
    plan: Plan
    is_current: bool
    includes: tuple[Included, ...]


@dataclass(frozen=True, slots=True)
class WayToPay:
    """A mode as people know it."""

    mode: str
    name: str
    sentence: str


@dataclass(frozen=True, slots=True)
class PlanPage:
    """``current`` None: the account has no plan, or pays per use. ``others``: the profile's further modes."""

    terms: Terms
    way: WayToPay
    current: PlanCard | None
    plans: tuple[PlanCard, ...]
    others: tuple[WayToPay, ...]


def has_choice(profile: str) -> bool:
    """Whether a profile has anything to choose: plans, or several ways to pay."""
    try:
        terms = snapshot.current().terms(profile)
    except snapshot.UnknownProfile:
        return False
    return bool(terms.plans) or len(terms.modes) > 1


def offers_recharge(profile: str) -> bool:
    """Whether accounts of this profile may have credits bought for them by themselves."""
    try:
        terms = snapshot.current().terms(profile)
    except snapshot.UnknownProfile:
        return False
    return terms.auto_recharge is not None and terms.topup.enabled


def pays_later(profile: str) -> bool:
    """Whether accounts of this profile may have work on credit, and so invoices."""
    try:
        modes = snapshot.current().terms(profile).modes
    except snapshot.UnknownProfile:
        return False
    return "metered" in modes or "postpaid" in modes


def of(account: BillingAccount, locale: str) -> PlanPage:
    """The page for this account. A plan that is no longer offered is shown only to who has it."""
    terms = snapshot.current().terms(account.profile)
    mine = account.plan if account.mode not in ("metered", "postpaid") else ""
    cards = tuple(
        PlanCard(plan, plan.slug == mine, _includes(plan, locale))
        for plan in sorted(terms.plans, key=lambda plan: plan.rank)
        if plan.active or plan.slug == mine
    )
    return PlanPage(
        terms=terms,
        way=_way(account.mode, terms),
        current=next((card for card in cards if card.is_current), None),
        plans=cards,
        others=tuple(_way(mode, terms) for mode in terms.modes if mode != account.mode),
    )


def _way(mode: str, terms: Terms) -> WayToPay:
    name, sentence = MODES[mode]
    if mode == "subscription" and terms.cycle.reset:
        sentence += " They are set anew at the start of each billing cycle; unused ones do not carry over"
        sentence += ", except along with an upgrade." if terms.cycle.carry_on_upgrade else "."
    if mode == "postpaid" and terms.credit_limit is not None:
        sentence += f" Invoices are due after {terms.credit_limit.invoice_due_days} days, and a credit limit bounds them."
    return WayToPay(mode, name, sentence)


def _includes(plan: Plan, locale: str) -> tuple[Included, ...]:
    """The plan's figures, then the features that do not merely repeat one of them."""
    told = {_plain(included.text) for included in _figures(plan, "en")}
    more = (Included(feature) for feature in plan.features if _plain(feature) not in told)
    return (*_figures(plan, locale), *more)


def _plain(text: str) -> str:
    return text.replace(NARROW_SPACE, " ").casefold()


def _figures(plan: Plan, locale: str) -> list[Included]:
    found = []
    if plan.credits:
        found.append(Included(f"{money_text(plan.credits, CREDIT, locale)} a month"))
    if plan.credits_once:
        found.append(Included(f"{money_text(plan.credits_once, CREDIT, locale)} once at sign-up"))
    if plan.key_slots is not None:
        found.append(_keys(plan.key_slots, locale))
    for name, most in plan.monthly_limits.items():
        found.append(Included(f"{count_text(most, locale)} {name.replace('-', ' ')} a month", most > 0))
    if plan.trial_days:
        found.append(Included(f"{count_text(plan.trial_days, locale)} days free to try"))
    return found


def _keys(slots: int, locale: str) -> Included:
    if slots == 0:
        return Included("No API keys", has=False)
    return Included(f"{count_text(slots, locale)} API key{'' if slots == 1 else 's'}")

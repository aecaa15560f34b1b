"""Believable history for trying the product: two accounts, ninety days of work, top-ups and a few failures.

Everything goes through the same services as real work; only the ledger's clock is set to the moment it is to have
happened at. The same seed gives the same story.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from django.db import connection, transaction
from django.utils.timezone import now

from accounts.models import BillingAccount, User
from billing.ledger import grants, holds, refunds
from billing.ledger.holds import FinishRequest, PlaceRequest
from billing.models import Payment
from billing.selectors import identities
from billing.selectors.identities import Identity
from billing.services import charges
from billing.services.accounts import open_account
from billing.services.charges import Caller
from billing.services.quotes import Wanted
from billing.services.validity import paid_expiry
from catalog import snapshot
from catalog.pricing import engine
from catalog.pricing.errors import PricingError
from catalog.pricing.units import Amount, minor_units

DAYS = 90
LARGEST_SHARE_OF_HISTORY = 5
RUN = timedelta(milliseconds=800)
"""How long a piece of work takes: less than the second after which the next one may come."""


@dataclass(frozen=True)
class Cast:
    """One sample account: who they are, how busy they are (requests on a working day), and what they buy at once."""

    name: str
    email: str
    per_day: int
    topup: int
    seed: int


CAST = (
    Cast("Northwind Studio", "ada@northwind.example", 14, 100, 7),
    Cast("Larkspur Media", "sol@larkspur.example", 4, 25, 11),
)


def create(password: str, profile: str | None = None) -> list[BillingAccount]:
    """Open the sample accounts and live their ninety days; those that exist are left as they are."""
    return [_create(cast, password, profile) for cast in CAST]


@transaction.atomic
def _create(cast: Cast, password: str, profile: str | None) -> BillingAccount:
    if (known := User.objects.filter(email=cast.email).first()) is not None:
        return BillingAccount.objects.get(opened_for=known)
    start = now() - timedelta(days=DAYS)
    _set_clock(start)
    user = User.objects.create_user(cast.email, password, name=cast.name)
    EmailAddress.objects.create(user=user, email=cast.email, verified=True, primary=True)
    account = open_account(name=cast.name, email=cast.email, user=user, profile=profile)
    BillingAccount.objects.filter(pk=account.pk).update(created_at=start)
    _live(account, cast, start)
    _set_clock(None)
    return account


def _set_clock(moment: datetime | None) -> None:
    """Move the ledger's clock for this transaction; None gives it back to the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('ledger.now', %s, true)", [moment.isoformat() if moment else ""])


def _live(account: BillingAccount, cast: Cast, start: datetime) -> None:
    chance = random.Random(cast.seed)  # noqa: S311 - a story, not a secret
    customer = identities.by_account(account.pk)
    assert customer is not None
    menu = _menu(customer)
    for day in range(DAYS + 1):
        for moment in _busy_moments(chance, start + timedelta(days=day), cast.per_day):
            if moment <= start:
                continue
            _set_clock(moment)
            _work(account, customer, cast, menu, chance, moment)


def _menu(customer: Identity) -> list[Wanted]:
    """What this account can order as it stands, without parameters."""
    book = snapshot.current().book(customer.profile, now(), customer.mode)
    menu = []
    for model, operation in snapshot.current().sold(book):
        try:
            quote = engine.estimate(book, model, operation, {})
        except PricingError:
            continue
        if quote.micros and quote.gate.plan_tier is None and not quote.requires_confirmation:
            menu.append(Wanted(model=model, operation=operation))
    return menu[:LARGEST_SHARE_OF_HISTORY]


def _busy_moments(chance: random.Random, day: datetime, per_day: int) -> list[datetime]:
    """When work came in on a day: fewer at weekends, none outside working hours."""
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    busy = max(1, round(per_day * chance.uniform(0.5, 1.3) * (0.3 if day.weekday() >= 5 else 1)))
    moments = [
        midnight + timedelta(seconds=chance.randint(7 * 3600, 21 * 3600)) for _ in range(-(-busy // 3))
    ]
    return sorted(moment for moment in moments if moment < now())


def _work(
    account: BillingAccount,
    customer: Identity,
    cast: Cast,
    menu: list[Wanted],
    chance: random.Random,
    moment: datetime,
) -> None:
    weights = [1 / (1 + place) for place in range(len(menu))]
    picked = chance.choices(menu, weights, k=chance.randint(1, 4))
    requests = [charges.prepare(customer, wanted, Caller()) for wanted in picked]
    for request in requests:
        request.recharge = False
        request.reference = f"job_{chance.getrandbits(40):010x}"
    placed = holds.place(requests)
    if any(outcome["code"] == "insufficient_credits" for outcome in placed):
        _top_up(account, cast, moment)
        placed = holds.place(requests)
    _set_clock(moment + RUN)
    for request, outcome in zip(requests, placed, strict=True):
        _finish(request, outcome["code"], chance)


def _finish(request: PlaceRequest, code: str, chance: random.Random) -> None:
    """Most work is delivered at or a little below its estimate; a few pieces fail and are given back."""
    failed = chance.random() < 0.03
    if code == "authorized":
        cost = request.amount * chance.randint(80, 100) // 100
        cost -= cost % 100
        end = FinishRequest(
            id=request.id, action="void" if failed else "settle", cost=None if failed else cost
        )
        holds.finish([end])
    elif code == "settled" and failed:
        refunds.refund_charge(charge_id=request.id, micros=None, reason="Delivery failed")


def _top_up(account: BillingAccount, cast: Cast, moment: datetime) -> None:
    """A paid top-up as it looks once it is through."""
    terms = snapshot.current().terms(account.profile)
    cash = Amount(cast.topup * 1_000_000, terms.cash_currency)
    payment = Payment(account=account)
    expires_at = paid_expiry(account.profile, moment)
    posted = grants.add(
        account_id=account.pk,
        micros=terms.credits_for(cash),
        source="topup",
        kind="topup",
        description=f"Top-up · {cash} {cash.unit}",
        key=f"topup:{payment.public_id}",
        reference=payment.public_id,
        expires_at=expires_at,
    )
    if expires_at is not None:
        grants.extend_all(account.pk, expires_at)
    payment.purpose = Payment.Purpose.TOPUP
    payment.route = Payment.Route.CHECKOUT
    payment.status = Payment.Status.SUCCEEDED
    payment.cash_minor = minor_units(cash)
    payment.currency = cash.unit
    payment.credits = posted.amount
    payment.unit = account.unit
    payment.card = "Visa •••• 4242"
    payment.transaction_id = posted.pk
    payment.created_at = payment.submitted_at = payment.finished_at = moment
    payment.save(force_insert=True)

"""Opening a billing account: the account, its owner, its balance row, and what the profile gives a newcomer."""

from django.db import transaction

from accounts.models import BillingAccount, Membership, Role, User
from billing.errors import InvalidRequest
from billing.ledger import balances, grants
from billing.services import credit_limits, subscriptions
from catalog import snapshot
from catalog.terms import Terms


@transaction.atomic
def open_account(
    *,
    name: str,
    email: str,
    user: User | None = None,
    profile: str | None = None,
    plan: str | None = None,
    mode: str | None = None,
) -> BillingAccount:
    """Open an account with the profile's bonus and trial grant; one per user, however often it is asked.

    ``profile``, ``plan`` and ``mode`` default to what the catalog says. Raises InvalidRequest for unknown ones.
    """
    if user is not None:
        User.objects.select_for_update().get(pk=user.pk)
        if (own := BillingAccount.objects.filter(opened_for=user).first()) is not None:
            return own
    terms = _terms(profile)
    signs_up = user is not None and plan is None
    mode, plan = _checked(terms, mode, plan)
    pays_later = mode in ("metered", "postpaid")
    account = BillingAccount.objects.create(
        name=name,
        email=email,
        profile=terms.slug,
        mode=mode,
        unit=terms.unit_for(mode),
        opened_for=user,
    )
    if user is not None:
        Membership.objects.create(account=account, user=user, role=Role.OWNER)
    balances.open_row(account.pk, unit=account.unit, credit_limit=_credit_limit(account, terms))
    if mode == "metered" and terms.spending_limit is not None:
        balances.set_spend_limit(account.pk, terms.spending_limit.default)
    if not pays_later:
        _welcome(account, terms)
        if plan:
            subscriptions.start(account.pk, plan, trial=signs_up)
            account.refresh_from_db()
    return account


def ensure_account(user: User) -> BillingAccount:
    """The account of a user who has none yet: sign-up opens it, and so does the first page, should that have failed."""
    name = user.company or user.name or user.email.partition("@")[0]
    return open_account(name=name, email=user.email, user=user)


def _terms(profile: str | None) -> Terms:
    current = snapshot.current()
    slug = profile or current.default_profile
    if slug is None:
        raise InvalidRequest(
            "There is no default billing profile: load one with load_profile NAME --default."
        )
    try:
        return current.terms(slug)
    except snapshot.UnknownProfile as error:
        raise InvalidRequest(f"There is no billing profile {slug!r}: load it with load_profile.") from error


def _checked(terms: Terms, mode: str | None, plan: str | None) -> tuple[str, str]:
    mode = mode or terms.default_mode
    plan = terms.default_plan if plan is None else plan
    if mode not in terms.modes:
        raise InvalidRequest(f"{terms.name} has no mode {mode!r}; it has {', '.join(terms.modes)}.")
    if plan and terms.plan(plan) is None:
        offered = ", ".join(item.slug for item in terms.plans) or "none"
        raise InvalidRequest(f"{terms.name} has no plan {plan!r}; it has {offered}.")
    return mode, plan


def _credit_limit(account: BillingAccount, terms: Terms) -> int:
    """How far below zero a new account may go: postpaid by the profile's rule, pay-per-use up to its spending limit."""
    if account.mode == "postpaid":
        return credit_limits.limit_of(account)
    if account.mode == "metered" and terms.spending_limit is not None:
        return terms.spending_limit.default
    return 0


def _welcome(account: BillingAccount, terms: Terms) -> None:
    if terms.welcome_bonus > 0:
        _grant(account, "bonus", terms.welcome_bonus, "Welcome bonus", "bonus:welcome")
    if terms.trial_grant.micros > 0:
        _grant(account, "trial", terms.trial_grant.micros, "Trial credits", "trial:welcome")


def _grant(account: BillingAccount, source: str, micros: int, description: str, rule: str) -> None:
    grants.add(
        account_id=account.pk,
        micros=micros,
        source=source,
        kind=source,
        description=description,
        key=f"{rule}:{account.pk.hex}",
    )

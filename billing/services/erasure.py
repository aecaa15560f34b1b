"""Erasing a person: their data is gone everywhere, and every sum stays as it was (docs/reconcile.md, invariant 21).

Accounts that nobody else is in are closed and made nameless with them; the ledger knows accounts by number alone. Their
customer at Stripe is deleted from the outbox, after the commit. Erasing twice erases once.
"""

import uuid
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from django.db import transaction
from django.utils.timezone import now

from accounts import erasure as accounts_erasure
from accounts.models import BillingAccount, Membership, Role, User
from billing import outbox
from billing.errors import InvalidRequest, InvalidState
from billing.gateways import gateway, mirror
from billing.models import Erasure, WebhookInbox
from billing.services import closing, erased_data, subscriptions
from billing.services.closing import Obstacle, Way

KIND: Final = "stripe.forget_customers"


def obstacles(user: User) -> list[Obstacle]:
    """What has to be done before the person can be erased; empty when they can be."""
    found = []
    if user.is_staff:
        found.append(Obstacle(Way.STAFF, "This person is one of the staff; take that right away first."))
    mine = _accounts_of(user)
    for account in mine:
        others = account.memberships.exclude(user=user)
        if not others.exists():
            open_ = account.status == BillingAccount.Status.ACTIVE
            of_which = f"{account.name}: " if len(mine) > 1 else ""
            found += [
                replace(obstacle, sentence=of_which + obstacle.sentence)
                for obstacle in (closing.obstacles(account) if open_ else [])
            ]
        elif not others.filter(role=Role.OWNER).exists() and _owns(user, account):
            text = f"Others work in {account.name}; make one of them owner, or remove them first."
            found.append(Obstacle(Way.MEMBERS, text, account=account.pk))
    return found


def closes(user: User) -> list[BillingAccount]:
    """The accounts that are closed and erased with the person, as nobody else is in them."""
    return [account for account in _accounts_of(user) if not account.memberships.exclude(user=user).exists()]


@transaction.atomic
def erase(user_id: int, *, by: User, reason: str = "") -> Erasure:
    """Erase a person, and close and erase the accounts that nobody else is in.

    Raises InvalidState with all that has to be done first, InvalidRequest where staff give no reason.
    """
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)
    if (known := Erasure.objects.filter(user=user).first()) is not None:
        return known
    if by.pk != user.pk and not reason.strip():
        raise InvalidRequest("Say why.", [{"field": "reason", "message": "is required"}])
    for account in _accounts_of(user):
        subscriptions.lock_account(
            account.pk
        )  # who else is in it, and owns it, stays as it is until this is done
    if found := obstacles(user):
        raise InvalidState(" ".join(map(str, found)))
    alone = closes(user)
    others = [account for account in _accounts_of(user) if account not in alone]
    closed = [closing.close(account.pk, by=by) for account in alone]
    for account in others:
        accounts_erasure.hand_on(account, user)
    return _forget(user, closed, by, reason.strip())


def _forget(user: User, closed: list[BillingAccount], by: User, reason: str) -> Erasure:
    ids = [account.pk for account in closed]
    addresses = accounts_erasure.addresses_of(user) | {account.email.lower() for account in closed}
    names = {user.name, user.company, *(account.name for account in closed)}
    customers = sorted(account.stripe_customer_id for account in closed if account.stripe_customer_id)
    row = Erasure(
        user=user,
        accounts=ids,
        asked_by=by,
        reason=accounts_erasure.text_without(reason, addresses | names)[:200],
        customers=customers,
        stripe_ids=sorted(erased_data.stripe_ids(ids) | set(customers)),
        stripe_done_at=None if customers else now(),
    )
    erased_data.forget_accounts(ids, addresses | names)
    erased_data.forget_addresses(addresses)
    for account in closed:
        accounts_erasure.forget_account(account)
    accounts_erasure.forget_person(user)
    _forget_told(row, addresses)
    row.save(force_insert=True)
    if customers:
        outbox.put(kind=KIND, key=f"erasure:{row.pk.hex}", payload={"erasure": str(row.pk)})
    return row


@outbox.handles(KIND)
def forget_at_stripe(payload: outbox.Payload) -> None:
    """Delete the person's customers at Stripe, and what was copied of them meanwhile. Raises GatewayError."""
    row = Erasure.objects.get(pk=uuid.UUID(payload["erasure"]))
    for customer in row.customers:
        gateway().delete_customer(customer)
    with transaction.atomic():
        _forget_told(row)
        Erasure.objects.filter(pk=row.pk).update(stripe_done_at=now())


def let_go(event: WebhookInbox) -> None:
    """Stripe told of somebody erased, after that or because of it: once the event is carried out, forget it again."""
    told = {event.object_id, event.payload.get("customer"), event.payload.get("payment_intent")}
    known = [text for text in told if isinstance(text, str) and text]
    with transaction.atomic():
        for row in Erasure.objects.filter(stripe_ids__overlap=known):
            _forget_told(row)
            erased_data.forget_payments(row.accounts)


def _forget_told(row: Erasure, addresses: Collection[str] = ()) -> None:
    texts = {*row.stripe_ids, *addresses}
    if texts:
        erased_data.forget_events(texts)
        mirror.forget(texts)


def _accounts_of(user: User) -> list[BillingAccount]:
    """In the order in which accounts are locked."""
    return list(BillingAccount.objects.filter(memberships__user=user).order_by("pk"))


def _owns(user: User, account: BillingAccount) -> bool:
    return Membership.objects.filter(user=user, account=account, role=Role.OWNER).exists()

"""What billing forgets of a person and of an account. Ledger, statements and all figures stay as they are.

What staff wrote as the reason of an adjustment, an offer or a price lock is part of what was agreed, and stays too
(docs/operations.md tells them to name nobody there).
"""

import uuid
from collections.abc import Collection
from typing import Final

from django.db import connection
from django.db.models import Model, QuerySet
from django.utils.timezone import now

from accounts.erasure import GONE, without
from billing.models import (
    CreditLimitDecision,
    Invoice,
    ModeChange,
    Notice,
    OutboxMessage,
    Payment,
    PaymentMethod,
    PriceAnnouncement,
    PriceNotice,
    RefundRequest,
    Reversal,
    SubscriptionEvent,
)
from catalog.models import PriceBook

REASONS: Final[tuple[tuple[type[Model], str, str], ...]] = (
    (ModeChange, "reason", "account__in"),
    (CreditLimitDecision, "reason", "account__in"),
    (SubscriptionEvent, "reason", "subscription__account__in"),
    (Invoice, "reason", "account__in"),
    (Invoice, "reference", "account__in"),
    (Payment, "failure_message", "account__in"),
    (RefundRequest, "reason", "payment__account__in"),
)
"""Free text about an account: model, field, and the way to the account."""

_UNADDRESSED: Final = """
UPDATE {table} SET recipients = coalesce(
       (SELECT jsonb_agg(a) FROM jsonb_array_elements_text(recipients) a WHERE lower(a) <> ALL (%(addresses)s)), '[]')
 WHERE EXISTS (SELECT FROM jsonb_array_elements_text(recipients) a WHERE lower(a) = ANY (%(addresses)s))
"""
# What an event's effect reads stays, so that it can still be carried out; whatever else the event told goes.
_EVENTS: Final = """
UPDATE billing_webhookinbox e SET last_error = '', mirror_error = '', payload = jsonb_strip_nulls(jsonb_build_object(
       'id', payload -> 'id', 'object', payload -> 'object', 'mode', payload -> 'mode', 'status', payload -> 'status',
       'client_reference_id', payload -> 'client_reference_id',
       'customer', CASE jsonb_typeof(payload -> 'customer') WHEN 'string' THEN payload -> 'customer' END,
       'metadata', jsonb_build_object('payment', payload #> '{metadata,payment}')))
 WHERE EXISTS (SELECT FROM unnest(%(texts)s::text[]) AS told (text)
                WHERE strpos(lower(e.payload::text), lower(told.text)) > 0
                   OR strpos(lower(e.last_error || e.mirror_error), lower(told.text)) > 0)
"""


def stripe_ids(accounts: Collection[uuid.UUID]) -> set[str]:
    """All ids under which Stripe knows these accounts' customers, cards and payments."""
    payments = Payment.objects.filter(account__in=accounts).values_list(
        "stripe_customer_id", "stripe_method_id", "stripe_checkout_id", "stripe_intent_id", "stripe_charge_id"
    )
    reversals = Reversal.objects.filter(payment__account__in=accounts).values_list("stripe_id", flat=True)
    cards = PaymentMethod.objects.filter(account__in=accounts).values_list("stripe_id", flat=True)
    return {known for row in (*payments, reversals, cards) for known in row if known}


def forget_addresses(addresses: Collection[str]) -> None:
    """Nobody's notices, mails and decisions name these addresses (in lower case) any more."""
    with connection.cursor() as cursor:
        for model in (Notice, PriceNotice):
            cursor.execute(_UNADDRESSED.format(table=model._meta.db_table), {"addresses": list(addresses)})
    for address in addresses:
        _forget_mail(OutboxMessage.objects.filter(payload__to__iexact=address))
        Invoice.objects.filter(email__iexact=address).update(email="")
        PriceBook.objects.filter(published_by__iexact=address).update(published_by=GONE)
        PriceBook.objects.filter(withdrawn_by__iexact=address).update(withdrawn_by=GONE)
        PriceAnnouncement.objects.filter(created_by__iexact=address).update(created_by=GONE)


def forget_accounts(accounts: Collection[uuid.UUID], words: Collection[str]) -> None:
    """The accounts' names, cards, links to receipts and mails go; ``words`` (names, addresses) go out of free text.

    Of invoices and payments the figures, numbers and Stripe's ids stay.
    """
    PaymentMethod.objects.filter(account__in=accounts).delete()
    forget_payments(accounts)
    Invoice.objects.filter(account__in=accounts).update(name="", email="")
    Notice.objects.filter(account__in=accounts).update(facts={}, recipients=[])
    PriceNotice.objects.filter(account__in=accounts).update(recipients=[])
    RefundRequest.objects.filter(payment__account__in=accounts).update(asked_because="")
    for model, field, path in REASONS:
        model._default_manager.filter(**{path: accounts}).update(**{field: without(field, words)})
    _forget_mail(OutboxMessage.objects.filter(payload__account__in=[str(account) for account in accounts]))


def forget_payments(accounts: Collection[uuid.UUID]) -> None:
    """What a payment shows of the card and of Stripe's pages."""
    Payment.objects.filter(account__in=accounts).update(
        card="", receipt_url="", action_url="", success_url="", cancel_url=""
    )


def forget_events(texts: Collection[str]) -> None:
    """What Stripe told of these ids or addresses: the event and what it is about stay, and nothing else of it."""
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, {"texts": list(texts)})


def _forget_mail(messages: QuerySet[OutboxMessage]) -> None:
    """Mails that were sent lose their address and facts; one that was not sent yet never is."""
    mails = messages.filter(kind__startswith="email.")
    mails.filter(sent_at=None).update(sent_at=now())
    for message in mails.iterator():
        message.key, message.payload, message.last_error = f"erased:{message.pk.hex}", {}, ""
        message.save(update_fields=["key", "payload", "last_error"])

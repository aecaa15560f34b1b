"""Old answers go, those that may still be asked for stay."""

import uuid
from datetime import timedelta

from django.utils.timezone import now

from billing.ledger.models import IdempotencyRecord
from billing.services.idempotency import forget_old


def kept(hours: int) -> IdempotencyRecord:
    return IdempotencyRecord.objects.create(
        owner=uuid.UUID(int=hours), key="k", request_hash="", created_at=now() - timedelta(hours=hours)
    )


def test_only_what_is_old_goes(db: None) -> None:
    young = [kept(0), kept(24), kept(47)]
    for hours in (49, 72, 1000):
        kept(hours)
    assert forget_old() == 3
    assert set(IdempotencyRecord.objects.all()) == set(young)
    assert forget_old() == 0


def test_a_little_at_a_time(db: None) -> None:
    for hours in range(50, 60):
        kept(hours)
    assert forget_old(limit=4) == 4
    assert IdempotencyRecord.objects.count() == 6

"""Measuring how far estimates were off, for staff, and for profiles whose holds follow it."""

from dataclasses import asdict
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils.timezone import now

from billing.models import EstimateAccuracy
from billing.selectors import accuracy, hold_margins

WINDOW: Final = timedelta(days=30)


def measure() -> int:
    """Measure the last 30 days by profile, model and operation; returns how many there are."""
    moment = now()
    rows = [
        EstimateAccuracy(profile=profile, measured_at=moment, **asdict(figures))
        for profile, mine in accuracy.by_profile(moment - WINDOW).items()
        for figures in mine
    ]
    with transaction.atomic():
        EstimateAccuracy.objects.all().delete()
        EstimateAccuracy.objects.bulk_create(rows)
    hold_margins.expire()
    return len(rows)

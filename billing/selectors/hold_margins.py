"""How much larger than its estimate a hold is, from memory: for profiles whose holds follow their estimates' accuracy.

The lane reads the measured figures anew every few seconds; other threads do once theirs are a minute old. Never read
inside an event loop; before the first reading a hold is the estimate.
"""

import threading
import time
from collections.abc import Mapping
from typing import Final

from billing.models import EstimateAccuracy
from catalog import snapshot

Measured = Mapping[tuple[str, str, str], tuple[int, int]]
"""By profile, model and operation: how many were settled, and their excess in millionths."""

OLD: Final = 60.0
_lock = threading.Lock()
_measured: Measured = {}
_read_at = float("-inf")


def hold(profile: str, model: str, operation: str, estimate: int) -> int:
    """The micros to hold for an estimate. Raises snapshot.UnknownProfile."""
    rule = snapshot.current().terms(profile).hold_follows_estimates
    if rule is None or estimate <= 0:
        return estimate
    if time.monotonic() - _read_at > OLD and not snapshot.in_event_loop():
        refresh()
    settled, excess = _measured.get((profile, model, operation), (0, 0))
    return rule.hold(estimate, settled, excess)


def refresh() -> None:
    """Read the figures again, where any profile asks for them. Synchronous."""
    global _measured, _read_at
    catalog = snapshot.current()
    if all(catalog.terms(slug).hold_follows_estimates is None for slug in catalog.profiles):
        return
    with _lock:
        rows = EstimateAccuracy.objects.filter(excess__gt=0)
        figures = rows.values_list("profile", "model", "operation", "count", "excess")
        _measured = {
            (profile, model, operation): (count, excess)
            for profile, model, operation, count, excess in figures
        }
        _read_at = time.monotonic()


def expire() -> None:
    """Read again at the next use in this process; called after our own measuring."""
    global _read_at
    _read_at = float("-inf")

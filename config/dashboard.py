"""The admin's start page: what the selectors say, the worker's sign of life, and what of it needs somebody.

It is here because only ``config`` knows the heartbeat (``settings/admin.py`` names it as DASHBOARD_CALLBACK).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.timezone import now

from billing.ledger import clock
from billing.models import ReconciliationRun
from billing.selectors import dashboard, operations
from config.health import HEARTBEAT_AGE
from config.models import Heartbeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All that the page shows. ``broken`` are the promises that do not hold and how often; ``look`` the last one at them."""

    month: date
    units: list[dashboard.Unit]
    holds: list[dashboard.Holds]
    recharges: dashboard.Recharges
    counts: operations.Counts
    approvals: dashboard.Approvals
    broken: dict[str, int]
    look: ReconciliationRun | None
    beat: datetime | None

    @property
    def alive(self) -> bool:
        return self.beat is not None and now() - self.beat < HEARTBEAT_AGE

    @property
    def needs(self) -> list["Need"]:
        """What waits for somebody, the urgent first; empty when all is well."""
        return [*_urgent(self), *_usual(self)]


@dataclass(frozen=True, slots=True)
class Need:
    """Something that waits for somebody: a sentence, and where to see to it."""

    text: str
    url: str
    urgent: bool = False


def show(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the dashboard for those who may look at the ledger; the others find the list of what they may."""
    if request.user.has_perm("ledger.view_balance"):
        context["dashboard"] = board()
    return context


def board() -> Board:
    """Everything as it is now."""
    today = clock.now().date()
    looks = [look for look in map(_last, (True, False)) if look is not None]
    return Board(
        month=today,
        units=dashboard.money(today),
        holds=dashboard.holds(),
        recharges=dashboard.recharges(now()),
        counts=operations.counts(),
        approvals=dashboard.approvals(),
        broken={name: count for name, count in operations.breaches(looks).items() if count},
        look=max(looks, key=lambda look: look.finished_at or look.requested_at, default=None),
        beat=Heartbeat.objects.filter(name="worker").values_list("beat_at", flat=True).first(),
    )


def _last(everything: bool) -> ReconciliationRun | None:
    return operations.last_look(everything=everything)


def _urgent(board: Board) -> Iterator[Need]:
    """What loses trust while it lasts."""
    if board.broken:
        books = reverse("admin:billing_reconciliationrun_changelist")
        one = len(board.broken) == 1
        text = "promise of the books does not hold" if one else "promises of the books do not hold"
        yield Need(f"{len(board.broken)} {text}", books, urgent=True)
    if not board.alive:
        yield Need("The worker gives no sign of life", "", urgent=True)
    if count := board.counts.inbox_parked:
        inbox = _list("billing_webhookinbox", "parked_at__isempty=0&done_at__isempty=1")
        yield Need(_some(count, "Stripe event was given up", "Stripe events were given up"), inbox, True)
    if count := board.counts.outbox_parked:
        outbox = _list("billing_outboxmessage", "parked_at__isempty=0&sent_at__isempty=1")
        yield Need(_some(count, "message was given up", "messages were given up"), outbox, True)


def _usual(board: Board) -> Iterator[Need]:
    """What is the day's work."""
    if board.look is None:
        yield Need("The books were not looked at yet", reverse("admin:billing_reconciliationrun_changelist"))
    if count := board.counts.payments_unknown:
        unknown = _list("billing_payment", "status__exact=unknown")
        yield Need(
            _some(count, "payment has an unknown outcome", "payments have an unknown outcome"), unknown
        )
    if count := board.approvals.adjustments:
        pending = _list("billing_adjustmentrequest", "status__exact=pending")
        verb = ("adjustment waits for a second person", "adjustments wait for a second person")
        yield Need(_some(count, *verb), pending)
    if count := board.approvals.refunds:
        asked = _list("billing_refundrequest", "status__exact=asked")
        yield Need(_some(count, "refund is asked for", "refunds are asked for"), asked)
    if count := board.recharges.failed:
        failed = _list("billing_payment", "status__exact=failed&purpose__exact=auto_recharge")
        yield Need(_some(count, "recharge failed in seven days", "recharges failed in seven days"), failed)
    if count := sum(row.late for row in board.holds):
        late = _list("ledger_charge", "status__exact=authorized")
        yield Need(_some(count, "hold is past its time", "holds are past their time"), late)


def _some(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _list(name: str, query: str) -> str:
    return f"{reverse(f'admin:{name}_changelist')}?{query}"

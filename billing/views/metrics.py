"""``GET /metrics``: the gauges for Prometheus, for whoever brings the token; outside production, for this machine."""

import hmac
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from billing.models import ReconciliationRun
from billing.selectors import operations

LOOPBACK: Final = ("127.0.0.1", "::1")
_FORWARDED: Final = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded")

_SAYS: Final = {
    "outbox_unsent": "Messages that wait to be sent",
    "outbox_parked": "Messages given up after many tries",
    "inbox_unfinished": "Stripe events that wait to be carried out",
    "inbox_parked": "Stripe events given up after many tries",
    "holds_open": "Holds in force",
    "payments_unknown": "Payment attempts whose outcome is not known yet",
    "balances_negative": "Accounts below zero",
}


class Books(Collector):
    """What the database says at the moment of the scrape."""

    def collect(self) -> Iterator[Metric]:
        for name, value in asdict(operations.counts()).items():
            yield GaugeMetricFamily(f"portal_{name}", _SAYS[name], value=value)
        looks = {
            scope: look
            for scope, everything in (("new", False), ("everything", True))
            if (look := operations.last_look(everything=everything)) is not None
        }
        yield self._ages(looks)
        yield self._breaches(list(looks.values()))

    @staticmethod
    def _ages(looks: dict[str, ReconciliationRun]) -> Metric:
        ages = GaugeMetricFamily(
            "portal_reconciliation_age_seconds", "Since the last finished look at the books", labels=["scope"]
        )
        for scope, look in looks.items():
            assert look.finished_at is not None
            ages.add_metric([scope], (now() - look.finished_at).total_seconds())
        return ages

    @staticmethod
    def _breaches(looks: list[ReconciliationRun]) -> Metric:
        broken = GaugeMetricFamily(
            "portal_reconciliation_breaches", "Breaches the last look found, by promise", labels=["check"]
        )
        for name, count in operations.breaches(looks).items():
            broken.add_metric([name], count)
        return broken


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The gauges; 404 for everybody they are not for."""
    if not _allowed(request):
        raise Http404
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Books())
    ProcessCollector(registry=registry)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _allowed(request: HttpRequest) -> bool:
    """The token where one is set or required (production: a proxy on this machine may publish what this machine sees).

    Else this machine itself: a request that says it came through a proxy is not its.
    """
    if token := settings.METRICS_TOKEN:
        told = request.headers.get("Authorization", "")
        return hmac.compare_digest(told.encode(), f"Bearer {token}".encode())
    if settings.METRICS_TOKEN_REQUIRED:
        return False
    forwarded = any(name in request.headers for name in _FORWARDED)
    return request.META.get("REMOTE_ADDR") in LOOPBACK and not forwarded

"""The wiring as a Django app: it has the operator's `prepare` command and the heartbeat's table."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate


class ConfigApp(AppConfig):
    name = "config"
    label = "config"
    verbose_name = "Operations"

    def ready(self) -> None:
        """Tasks sent from any process go to this Celery app, not to a default one."""
        from config import celery  # noqa: F401

        post_migrate.connect(_make_queues, sender=self)


def _make_queues(**_: Any) -> None:
    """`migrate` also makes the message queues, where the broker is the database itself."""
    from config import broker

    if settings.CELERY_BROKER_URL == broker.URL:
        broker.install()

"""The wiring as a Django app: it has the operator's `prepare` command and the heartbeat's table."""

from django.apps import AppConfig


class ConfigApp(AppConfig):
    name = "config"
    label = "config"
    verbose_name = "Operations"

    def ready(self) -> None:
        """Tasks sent from any process go to this Celery app, not to a default one."""
        from config import celery  # noqa: F401

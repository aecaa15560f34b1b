"""The Celery app: what runs in the background, and when.

The work itself is rows in PostgreSQL and a task only a nudge, so a lost message delays and never loses: the
sweeps below find what is unfinished.
"""

import os
from typing import Any

import structlog
from celery import Celery, shared_task
from celery.schedules import crontab
from celery.signals import task_prerun, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(related_name="tasks")

HEARTBEAT_EVERY = 15.0  # seconds

app.conf.beat_schedule = {
    "heartbeat": {"task": "config.celery.heartbeat", "schedule": HEARTBEAT_EVERY},
    "relay-outbox": {"task": "billing.relay_outbox", "schedule": 15.0},
    "sweep-inbox": {"task": "billing.sweep_inbox", "schedule": 15.0},
    "sweep-recharges": {"task": "billing.sweep_recharges", "schedule": 15.0},
    "sweep-payments": {"task": "billing.sweep_payments", "schedule": 60.0},
    "expire-charges": {"task": "billing.expire_charges", "schedule": 60.0},
    "sweep-notices": {"task": "billing.sweep_notices", "schedule": 30.0},
    "expire-credits": {"task": "billing.expire_credits", "schedule": 60.0},
    "renew-plans": {"task": "billing.renew_plans", "schedule": 15.0},
    "close-months": {"task": "billing.close_months", "schedule": 60.0},
    "follow-credit-limits": {"task": "billing.follow_credit_limits", "schedule": 3600.0},
    "compare-with-stripe": {"task": "billing.compare_with_stripe", "schedule": 300.0},
    "fold-usage": {"task": "billing.fold_usage", "schedule": 15.0},
    "keep-blocks": {"task": "billing.keep_blocks", "schedule": 600.0},
    "fold-holds": {"task": "billing.fold_holds", "schedule": 15.0},
    "follow-usage": {"task": "billing.follow_usage", "schedule": 300.0},
    "tell-prices": {"task": "billing.tell_prices", "schedule": 60.0},
    "look-at-books": {"task": "billing.look_at_books", "schedule": 600.0},
    "look-at-all-books": {
        "task": "billing.look_at_books",
        "schedule": crontab(hour="3", minute="17"),
        "args": (True,),
    },
    "run-looks": {"task": "billing.run_looks", "schedule": 60.0},
    "seal-statements": {"task": "billing.seal_statements", "schedule": 600.0},
    "count-offers": {"task": "billing.count_offers", "schedule": 600.0},
    "measure-estimates": {"task": "billing.measure_estimates", "schedule": 1800.0},
    "forget-answers": {"task": "billing.forget_answers", "schedule": 600.0},
}


@shared_task(name="config.celery.heartbeat", ignore_result=True)
def heartbeat() -> None:
    """A sign of life that went through beat, the broker and the worker; /readyz asks how old it is."""
    from django.db.models.functions import Now

    from config.models import Heartbeat

    Heartbeat.objects.update_or_create(name="worker", defaults={"beat_at": Now()})


@task_prerun.connect
def _name_the_task(task_id: str = "", task: Any = None, **_: Any) -> None:
    """Log lines of a task carry its name and id."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=getattr(task, "name", ""), task_id=task_id)


@worker_ready.connect
def _first_heartbeat(**_: Any) -> None:
    heartbeat.delay()

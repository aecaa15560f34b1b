"""Two questions of a load balancer: does this process live, and can the portal do its work?"""

from collections.abc import Callable
from datetime import timedelta

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.models import Heartbeat

HEARTBEAT_AGE = timedelta(seconds=60)  # four beats missed: the worker, beat or the broker is down


@require_safe
@never_cache
def alive(request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers; asks nobody else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """200 when database, migrations and worker are well, otherwise 503; the body says which are not."""
    answers: dict[str, str] = {}
    for name, check in CHECKS.items():
        try:
            answers[name] = check()
        except DatabaseError:
            answers[name] = "the database does not answer"
    well = all(answer == "ok" for answer in answers.values())
    return JsonResponse({"ready": well, **answers}, status=200 if well else 503)


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


_migrated = False  # never becomes false again within one process


def _migrations() -> str:
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if missing:
            return f"{len(missing)} migrations are missing"
        _migrated = True
    return "ok"


def _worker() -> str:
    fresh = Heartbeat.objects.filter(name="worker", beat_at__gt=Now() - HEARTBEAT_AGE)
    return "ok" if fresh.exists() else "no sign of life for a minute"


CHECKS: dict[str, Callable[[], str]] = {"database": _database, "migrations": _migrations, "worker": _worker}

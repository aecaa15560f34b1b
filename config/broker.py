"""The default message broker: queues in the portal's own PostgreSQL (pgmq), so that nothing else has to run.

Larger installations set CELERY_BROKER_URL to Valkey or Redis.
"""

from typing import Any

from django.db import connection, transaction
from pgmq.install import get_embedded_install_sql
from psycopg.conninfo import make_conninfo

URL = "pgmq://"
VISIBLE_AGAIN = 60  # seconds until a message whose worker died is handed out once more
_LOCK = 0x706F7274616C  # any number, the same in every process that may install at the same time


def transport_options(database: dict[str, Any]) -> dict[str, Any]:
    """Kombu's options for queues in this database (one of Django's DATABASES)."""
    parts = {
        "dbname": database.get("NAME"),
        "user": database.get("USER"),
        "password": database.get("PASSWORD"),
        "host": database.get("HOST"),
        "port": database.get("PORT"),
        **database.get("OPTIONS", {}),
    }
    return {
        "conn_string": make_conninfo(**{name: value for name, value in parts.items() if value}),
        "init_extension": False,  # there is no extension, only its SQL, see install()
        "visibility_timeout": VISIBLE_AGAIN,
        "use_notify": True,
        "wait_time_seconds": 0,  # listening takes the place of a query that waits
        "polling_interval": 1,
        "pool_size": 4,
        "pool_timeout": 2,  # seconds that a broker which is away may cost a request
    }


def install() -> None:
    """Create the queues' schema if it is missing; processes that start together do it once."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute("SELECT to_regnamespace('pgmq') IS NULL")
        row = cursor.fetchone()
        if row is not None and row[0]:
            cursor.execute(get_embedded_install_sql())

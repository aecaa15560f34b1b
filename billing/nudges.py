"""Telling the worker that there is something to do now, instead of at the next sweep."""

import logging

from celery import current_app

log = logging.getLogger(__name__)


def nudge(task: str, *arguments: str) -> None:
    """Start a background task by its name, after the transaction that made its work is committed.

    A broker that is down costs time, never the request: the sweep finds the work.
    """
    try:
        current_app.send_task(task, arguments, retry=False, ignore_result=True)
    except Exception:
        log.warning("the broker was not reached; the next sweep does what %s should", task)

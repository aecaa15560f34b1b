"""Telling the worker that there is something to do now, instead of at the next sweep."""

import logging
import time
from typing import Final

from celery import current_app

log = logging.getLogger(__name__)

SELDOM: Final = 60.0
"""Seconds in which the same is said only once by ``nudge_seldom``."""
MOST_KEPT: Final = 10_000

_said: dict[tuple[str, str], float] = {}


def nudge(task: str, *arguments: str) -> None:
    """Start a background task by its name, after the transaction that made its work is committed.

    A broker that is down costs time, never the request: the sweep finds the work.
    """
    try:
        current_app.send_task(task, arguments, retry=False, ignore_result=True)
    except Exception:
        log.warning("the broker was not reached; the next sweep does what %s should", task)


def nudge_seldom(task: str, *arguments: str, about: str) -> None:
    """The same at most once a minute per process ``about`` something: for what a busy caller repeats all the time."""
    moment = time.monotonic()
    if moment - _said.get((task, about), -SELDOM) < SELDOM:
        return
    if len(_said) >= MOST_KEPT:
        _said.clear()
    _said[task, about] = moment
    nudge(task, *arguments)


def forget() -> None:
    """What was said seldom may be said again now."""
    _said.clear()

"""Posting what has lapsed, so that the history and the stored balance say what every request already goes by."""

import logging

from billing.ledger import balances, grants

log = logging.getLogger(__name__)


def expire_credits() -> int:
    """Post the lapsed credits of every account, each in a transaction of its own; returns how many accounts lost
    some.

    It only writes down what is so already: a request leaves lapsed credits out from their last moment on. An
    account that fails is tried again next time and keeps nobody waiting.
    """
    done = 0
    for account_id in balances.with_lapsed():
        try:
            done += grants.expire(account_id) > 0
        except Exception:
            log.exception("the lapsed credits of account %s could not be posted", account_id)
    return done

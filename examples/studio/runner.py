"""Do the accepted work, apart from any request: a dropped connection or a restart does not stop it.

The job table is the queue. Each step ends in a new state, so a step cut off by a crash is simply done again.
"""

import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal

from portal_client import BadAnswer, Charge, PortalError, RateLimited, ServiceUnavailable, Unreachable

from examples.studio.billing import Billing
from examples.studio.jobs import FINAL, Job, Maker, State, WorkFailed
from examples.studio.store import Store

log = logging.getLogger("studio")

RESULT_LIFETIME_MS = 60 * 60 * 1000
# An authorization without an answer is looked for this long; the portal's own reply time is far below it.
_ORPHAN_LOOKUP_MS = 10 * 60 * 1000
_LONGEST_WAIT_MS = 60 * 1000
_SWEEP_SECONDS = 1.0
_WORKERS = 2
_TRY_AGAIN = (Unreachable, BadAnswer, ServiceUnavailable, RateLimited)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Runner:
    """A dispatcher thread that hands due jobs to a few workers, one worker per job at a time."""

    def __init__(self, store: Store, billing: Billing, makers: Mapping[str, Maker]) -> None:
        self._store = store
        self._billing = billing
        self._makers = makers
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="studio-work")
        self._wake = threading.Event()
        self._stopping = False
        self._busy: set[str] = set()
        self._waiting: dict[str, Future[None]] = {}
        self._lock = threading.Lock()
        self._dispatcher = threading.Thread(target=self._dispatch, name="studio-dispatch", daemon=True)

    def start(self) -> None:
        self._store.orphan_interrupted()
        self._dispatcher.start()

    def stop(self) -> None:
        """Let running steps end; what is not done stays in the table for the next start."""
        self._stopping = True
        self._wake.set()
        self._dispatcher.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def wake(self) -> None:
        self._wake.set()

    def finished(self, job_id: str) -> Future[None]:
        """Done once the job is completed or failed."""
        with self._lock:
            future = self._waiting.setdefault(job_id, Future())
        job = self._store.job(job_id)
        if job is None or job.state in FINAL:
            self._announce(job_id)
        return future

    def _dispatch(self) -> None:
        swept_at = 0
        while not self._stopping:
            self._wake.wait(_SWEEP_SECONDS)
            self._wake.clear()
            try:
                now = now_ms()
                for job in self._store.due(now, limit=50):
                    self._submit(job)
                if now - swept_at > 15_000:
                    swept_at = now
                    self._store.remove_expired(now)
            except Exception:
                log.exception("the sweep failed; it is tried again")

    def _submit(self, job: Job) -> None:
        with self._lock:
            if job.id in self._busy or self._stopping:
                return
            self._busy.add(job.id)
        self._pool.submit(self._run, job.id)

    def _run(self, job_id: str) -> None:
        try:
            self._advance(job_id)
        except _TRY_AGAIN as error:
            self._postpone(job_id, error.detail)
        except Exception:
            log.exception("%s: a step failed; it is tried again", job_id)
            self._postpone(job_id, "an error of the studio's own")
        finally:
            with self._lock:
                self._busy.discard(job_id)

    def _advance(self, job_id: str) -> None:
        """Step until there is nothing more to do now."""
        steps = {
            State.ACCEPTED: self._make,
            State.DELIVERED: self._settle,
            State.FAILING: self._give_back,
            State.ORPHANED: self._look_for_charge,
        }
        while (job := self._store.job(job_id)) is not None and job.state in steps:
            if not steps[job.state](job):
                return
        self._announce(job_id)

    def _make(self, job: Job) -> bool:
        try:
            work = self._makers[job.kind](job)
        except WorkFailed as failure:
            self._store.fail(job.id, str(failure))
        except Exception:
            log.exception("%s: the work broke off", job.id)
            self._store.fail(job.id, "The work broke off on our side.")
        else:
            self._store.deliver(job.id, work, expires_at=now_ms() + RESULT_LIFETIME_MS)
        return True

    def _settle(self, job: Job) -> bool:
        if job.charge_settled:
            self._store.finish(job.id, State.COMPLETED, cost=job.cost, balance=job.balance)
            return True
        try:
            charge = self._billing.settle(job)
        except _TRY_AGAIN:
            raise
        except PortalError as error:
            # The hold ran out, or staff ended the charge: the work is delivered, the portal knows the cost.
            log.warning("%s: not settled: %s", job.id, error.detail)
            charge = self._billing.charge(job)
        self._finish(job, State.COMPLETED, charge)
        return True

    def _give_back(self, job: Job) -> bool:
        charge = self._billing.give_back(job, job.failure or "The work failed.")
        self._finish(job, State.FAILED, charge)
        return True

    def _look_for_charge(self, job: Job) -> bool:
        charge = self._billing.find(job.id)
        if charge is not None:
            reason = "The request was cut off before it was answered."
            self._store.adopt(job.id, charge=charge.id, settled=charge.status == "settled", failure=reason)
            return True
        if now_ms() - job.created_at > _ORPHAN_LOOKUP_MS:
            self._store.forget(job.id)
            return True
        self._postpone(job.id, "no charge found yet")
        return False

    def _finish(self, job: Job, state: State, charge: Charge) -> None:
        cost = charge.metadata.cost if state is State.COMPLETED else Decimal(0)
        self._store.finish(
            job.id, state, cost=cost if cost is not None else Decimal(0), balance=charge.balance
        )

    def _postpone(self, job_id: str, reason: str) -> None:
        job = self._store.job(job_id)
        attempts = 0 if job is None else job.attempts
        wait = min(500 * 2 ** min(attempts, 10), _LONGEST_WAIT_MS)
        log.info("%s: again in %d ms: %s", job_id, wait, reason)
        self._store.postpone(job_id, due_at=now_ms() + wait)

    def _announce(self, job_id: str) -> None:
        with self._lock:
            future = self._waiting.pop(job_id, None)
        if future is not None and not future.done():
            future.set_result(None)

"""From a customer's request to accepted work: write the job down, ask the portal once, answer."""

import hashlib
import logging
import re

from portal_client import BadAnswer, Forbidden, PortalError, ServiceUnavailable, Unauthorized, Unreachable

from examples.studio.billing import Billing
from examples.studio.jobs import Job, Order
from examples.studio.problems import Refused, invalid_field, passed_on, unauthorized, unavailable
from examples.studio.runner import Runner, now_ms
from examples.studio.store import Store

log = logging.getLogger("studio")

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
# Time for an authorization that is still under way in the portal before its charge is looked for.
_ORPHAN_DELAY_MS = 5_000


class Acceptance:
    """The one way in. Synchronous: called on a thread that runs on when the client has left."""

    def __init__(self, store: Store, billing: Billing, runner: Runner) -> None:
        self._store = store
        self._billing = billing
        self._runner = runner

    def account(self, api_key: str | None) -> str:
        """The account behind the key. Raises ``Refused`` 401."""
        if api_key is None:
            raise unauthorized()
        try:
            account = self._billing.owner(api_key)
        except (Unauthorized, Forbidden) as error:
            # This answer is about the studio's own key, not about the customer's.
            log.error("the portal does not accept the service key: %s", error.detail)
            raise unavailable("The studio is not set up for billing.") from error
        except PortalError as error:
            raise passed_on(error) from error
        if account is None:
            raise unauthorized()
        return account

    def estimate(self, api_key: str, order: Order) -> dict[str, object]:
        """The portal's estimate, as it answered it. Nothing is written anywhere."""
        try:
            return dict(self._billing.estimate(api_key, order).raw)
        except PortalError as error:
            raise passed_on(error) from error

    def accept(
        self, api_key: str, account: str, order: Order, *, key: str | None, body: bytes
    ) -> tuple[Job, bool]:
        """The accepted job, and whether it was accepted by an earlier call with the same idempotency key."""
        if key is not None and not _KEY.fullmatch(key):
            raise invalid_field("Idempotency-Key", "must have 1 to 255 visible ASCII characters.")
        caller = hashlib.sha256(api_key.encode()).hexdigest()
        digest = hashlib.sha256(f"{order.kind} ".encode() + body).hexdigest()
        job_id = self._store.open_job(
            order, account=account, caller=caller, key=key, body_digest=digest, now=now_ms()
        )
        if job_id is None:
            return self._earlier(caller, key or "", digest), True
        self._authorize(api_key, order, job_id)
        self._runner.wake()
        job = self._store.job(job_id)
        if job is None:
            raise RuntimeError(f"{job_id} is gone")
        return job, False

    def _authorize(self, api_key: str, order: Order, job_id: str) -> None:
        try:
            charge = self._billing.authorize(api_key, order, job_id)
        except (Unreachable, BadAnswer, ServiceUnavailable) as error:
            self._store.orphan(job_id, due_at=now_ms() + _ORPHAN_DELAY_MS)
            raise unavailable("The billing service cannot be reached; please try again.") from error
        except PortalError as error:
            self._store.forget(job_id)
            raise passed_on(error) from error
        self._store.accept(
            job_id,
            charge=charge.id,
            settled=charge.status == "settled",
            unit=charge.unit or "",
            cost_estimate=charge.metadata.cost_estimate,
            cost=charge.metadata.cost,
            balance=charge.balance,
        )

    def _earlier(self, caller: str, key: str, digest: str) -> Job:
        found = self._store.earlier(caller, key)
        if found is None or found[0].charge is None:
            raise Refused(
                409,
                "idempotency_in_progress",
                "The first request with this key is still running",
                "Send the same request again in a moment.",
                retry_after=1,
            )
        job, first_digest = found
        if first_digest != digest:
            raise Refused(
                409,
                "idempotency_conflict",
                "Idempotency key used for another request",
                "This Idempotency-Key belongs to another request; use a fresh one.",
            )
        return job

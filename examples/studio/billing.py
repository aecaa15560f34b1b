"""What the studio asks of the portal, and nothing else: authorize, settle, void, refund, whose key."""

import hashlib
import threading
import time
from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal

from portal_client import Charge, Customer, Delivery, Estimate, InvalidState, NewCharge, Portal, RetryPolicy

from examples.studio.jobs import Job, Order

# How long a key's owner is remembered. The portal itself still checks the key of every charge.
_OWNER_SECONDS = 10.0
_OWNERS_KEPT = 1000
_CENT_OF_A_CENT = Decimal("0.0001")


class Billing:
    """Thread-safe. Idempotency keys are derived from the job, so repeating a step after a crash is safe."""

    def __init__(self, portal_url: str, service_key: str) -> None:
        self._portal = Portal(portal_url, service_key, timeout=20.0, policy=RetryPolicy(retries=2))
        self._owners: dict[bytes, tuple[float, str | None]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        self._portal.close()

    def owner(self, api_key: str) -> str | None:
        """The account id behind a customer's key, None for an invalid key. Remembered for some seconds."""
        digest = hashlib.sha256(api_key.encode()).digest()
        now = time.monotonic()
        with self._lock:
            known = self._owners.get(digest)
        if known is not None and now - known[0] < _OWNER_SECONDS:
            return known[1]
        checked = self._portal.verify_key(api_key)
        account = checked.account if checked.valid else None
        with self._lock:
            if len(self._owners) >= _OWNERS_KEPT:
                self._owners.clear()
            self._owners[digest] = (now, account)
        return account

    def estimate(self, api_key: str, order: Order) -> Estimate:
        return self._portal.authorize(_new_charge(api_key, order, None), dry_run=True)

    def authorize(self, api_key: str, order: Order, job_id: str) -> Charge:
        return self._portal.authorize(
            _new_charge(api_key, order, job_id), idempotency_key=f"{job_id}-authorize"
        )

    def settle(self, job: Job) -> Charge:
        """Charge the actual cost: the studio's own figure where it has one, else what the price book says."""
        charge = _charge_id(job)
        key = f"{job.id}-settle"
        delivery = routing(job)
        cost = actual_cost(job)
        if cost is not None:
            return self._portal.settle(charge, cost=cost, delivery=delivery, idempotency_key=key)
        return self._portal.settle(charge, outputs=job.outputs, delivery=delivery, idempotency_key=key)

    def give_back(self, job: Job, reason: str) -> Charge:
        """Void the hold, or refund what was charged on acceptance. A finished charge stays as it is."""
        charge = _charge_id(job)
        try:
            if job.charge_settled:
                return self._portal.refund(charge, reason=reason, idempotency_key=f"{job.id}-refund")
            return self._portal.void(charge, reason=reason, idempotency_key=f"{job.id}-void")
        except InvalidState:
            return self._portal.charge(charge)

    def charge(self, job: Job) -> Charge:
        return self._portal.charge(_charge_id(job))

    def find(self, job_id: str) -> Charge | None:
        """The charge of a job whose authorization got no answer."""
        return next(self._portal.charges(reference=job_id), None)


def actual_cost(job: Job) -> Decimal | None:
    """The studio's own cost in the account's unit, never above the estimate.

    Only for accounts in a currency: an account in credits pays its price list's whole credits.
    """
    if job.actual_share is None or job.cost_estimate is None or not _is_currency(job.unit):
        return None
    cost = (job.cost_estimate * job.actual_share).quantize(_CENT_OF_A_CENT, ROUND_DOWN)
    return cost if cost > 0 else job.cost_estimate


def routing(job: Job) -> Delivery:
    """Who did the work. A company with several providers names the one that it chose."""
    return Delivery(
        provider="studio",
        provider_name="Example Studio",
        executed_model=job.model,
        upstream_id=f"run_{hashlib.sha256(job.id.encode()).hexdigest()[:20]}",
    )


def currency_fields(unit: str, amounts: Mapping[str, Decimal | None]) -> dict[str, str]:
    """``cost_eur``, ``balance_eur`` and so on, for accounts kept in a currency."""
    if not _is_currency(unit):
        return {}
    return {
        f"{name}_{unit.lower()}": format(amount, "f")
        for name, amount in amounts.items()
        if amount is not None
    }


def _is_currency(unit: str) -> bool:
    return len(unit) == 3 and unit.isascii() and unit.isupper()


def _new_charge(api_key: str, order: Order, reference: str | None) -> NewCharge:
    return NewCharge(
        Customer(api_key=api_key), order.model, order.operation, order.parameters, reference=reference
    )


def _charge_id(job: Job) -> str:
    if job.charge is None:
        raise ValueError(f"{job.id} has no charge")
    return job.charge

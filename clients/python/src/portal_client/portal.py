"""``Portal``: one method per thing the API can do. Each raises ``PortalError`` (see ``errors``)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import Literal, Self, overload
from urllib.parse import quote

from portal_client import reading
from portal_client.charges import BatchOutcome, Charge, Delivery, NewCharge, read_batch
from portal_client.models import AutoRecharge, Balance, Estimate, KeyCheck, SpendingLimit, Transaction
from portal_client.pages import Page, read_page
from portal_client.pricing import Pricing
from portal_client.transport import RetryPolicy, Transport


class Portal:
    """A connection to one portal with one key. Thread-safe; close it or use it in a ``with`` statement."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        timeout: float = 30.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        """``timeout`` in seconds for each try. Without a key only ``pricing`` works.

        ValueError for an address or key that cannot be one.
        """
        self._transport = Transport(base_url, api_key, timeout=timeout, policy=policy or RetryPolicy())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    # -- for customers (bpk_ key) --

    def balance(self) -> Balance:
        return Balance.read(self._transport.get("/v1/balance"))

    def usage(
        self,
        *,
        type: str | None = None,
        model: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = 50,
    ) -> Iterator[Transaction]:
        """Every transaction, newest first, fetched page by page as the iterator is read."""
        cursor: str | None = None
        while True:
            page = self.usage_page(
                type=type, model=model, since=since, until=until, cursor=cursor, limit=page_size
            )
            yield from page.data
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    def usage_page(
        self,
        *,
        type: str | None = None,
        model: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Transaction]:
        """One page of at most ``limit`` (1–200) transactions; ``since`` and ``until`` must be aware."""
        query = {
            "type": type,
            "model": model,
            "from": _moment(since),
            "to": _moment(until),
            "cursor": cursor,
            "limit": str(limit),
        }
        return read_page(self._transport.get("/v1/usage", query), Transaction.read)

    def pricing(self, *, profile: str | None = None, as_of: datetime | None = None) -> Pricing:
        """The public price list; with a key, what this account pays and may use.

        ``profile`` names another list (without a key); ``as_of`` asks for another moment, past or scheduled.
        """
        return Pricing.read(self._transport.get("/v1/pricing", {"profile": profile, "as_of": _moment(as_of)}))

    def statement_keys(self) -> reading.Json:
        """The public keys that statements are signed with, as JSON Web Keys; see ``keyring``."""
        return self._transport.get("/.well-known/statement-keys.json")

    def estimate(
        self,
        model: str,
        operation: str = "generate",
        parameters: Mapping[str, object] | None = None,
        *,
        as_of: datetime | None = None,
    ) -> Estimate:
        """What a request should cost this account; ``as_of``: by the prices of another moment."""
        query = f"?as_of={quote(_moment(as_of) or '')}" if as_of is not None else ""
        body = {"model": model, "operation": operation, "parameters": dict(parameters or {})}
        return Estimate.read(self._transport.ask(f"/v1/estimate{query}", body))

    def auto_recharge(self) -> AutoRecharge:
        return AutoRecharge.read(self._transport.get("/v1/auto-recharge"))

    def set_auto_recharge(
        self, *, enabled: bool, threshold: Decimal, amount: Decimal, monthly_cap: Decimal | None = None
    ) -> AutoRecharge:
        """``threshold`` in the account's unit, ``amount`` and ``monthly_cap`` (None: no cap) in cash."""
        body: dict[str, object] = {
            "enabled": enabled,
            "threshold": threshold,
            "amount": amount,
            "monthly_cap": monthly_cap,
        }
        return AutoRecharge.read(self._transport.put("/v1/auto-recharge", body))

    def spending_limit(self) -> SpendingLimit:
        return SpendingLimit.read(self._transport.get("/v1/spending-limit"))

    def set_spending_limit(self, limit: Decimal | None) -> SpendingLimit:
        """None takes the limit away."""
        return SpendingLimit.read(self._transport.put("/v1/spending-limit", {"limit": limit}))

    def topup(self, amount: Decimal, currency: str, *, idempotency_key: str | None = None) -> str:
        """Start a payment; returns the address of the hosted checkout to send the customer to."""
        answer = self._transport.post("/v1/topups", {"amount": amount, "currency": currency}, idempotency_key)
        return reading.text(answer, "checkout_url")

    # -- for the generation service (bps_ key) --

    @overload
    def authorize(
        self, charge: NewCharge, *, dry_run: Literal[False] = False, idempotency_key: str | None = None
    ) -> Charge: ...

    @overload
    def authorize(
        self, charge: NewCharge, *, dry_run: Literal[True], idempotency_key: None = None
    ) -> Estimate: ...

    def authorize(
        self, charge: NewCharge, *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> Charge | Estimate:
        """Check the customer's key, price the work and hold its cost; ``dry_run`` only estimates.

        Work that is charged on acceptance comes back ``settled`` at once.
        """
        if dry_run:
            return Estimate.read(self._transport.ask("/v1/charges?dryRun=true", charge.body()))
        return Charge.read(self._transport.post("/v1/charges", charge.body(), idempotency_key))

    def batch(
        self, charges: Sequence[NewCharge], *, idempotency_key: str | None = None
    ) -> tuple[BatchOutcome, ...]:
        """Up to 500 authorizations in one call; each outcome, in order, is a ``Charge`` or its error."""
        body = {"charges": [charge.body() for charge in charges]}
        return read_batch(self._transport.post("/v1/charges/batch", body, idempotency_key))

    def settle(
        self,
        charge_id: str,
        *,
        outputs: Mapping[str, object] | None = None,
        cost: Decimal | None = None,
        delivery: Delivery | None = None,
        idempotency_key: str | None = None,
    ) -> Charge:
        """Charge the actual cost: ``outputs`` priced by the price book, or ``cost``; the rest returns."""
        body = (delivery or Delivery()).body()
        if cost is not None:
            body["cost"] = cost
        else:
            body["outputs"] = dict(outputs or {})
        return self._finish(charge_id, "settle", body, idempotency_key)

    def report(
        self,
        charge_id: str,
        phases: Mapping[str, object],
        *,
        delivery: Delivery | None = None,
        idempotency_key: str | None = None,
    ) -> Charge:
        """Tell what became of some phases while the rest goes on: ``{"hero-image": {…}, "motion-video": "failed"}``.

        The charge stays ``authorized``; what its ``hold`` needs no longer is ``returned``. ``settle`` tells the rest.
        """
        body = {**(delivery or Delivery()).body(), "partial": True, "outputs": {"phases": dict(phases)}}
        return self._finish(charge_id, "settle", body, idempotency_key)

    def void(self, charge_id: str, *, reason: str, idempotency_key: str | None = None) -> Charge:
        """End the hold with nothing charged."""
        return self._finish(charge_id, "void", {"reason": reason}, idempotency_key)

    def refund(
        self,
        charge_id: str,
        *,
        reason: str,
        amount: Decimal | None = None,
        idempotency_key: str | None = None,
    ) -> Charge:
        """Give back what a settled charge cost, or ``amount`` of it."""
        body: dict[str, object] = {"reason": reason}
        if amount is not None:
            body["amount"] = amount
        return self._finish(charge_id, "refund", body, idempotency_key)

    def verify_key(self, api_key: str) -> KeyCheck:
        """Whose customer key this is."""
        return KeyCheck.read(self._transport.ask("/v1/keys/verify", {"api_key": api_key}))

    # -- with either key --

    def charge(self, charge_id: str) -> Charge:
        return Charge.read(self._transport.get(f"/v1/charges/{quote(charge_id, safe='')}"))

    def charges(self, *, reference: str | None = None, page_size: int = 50) -> Iterator[Charge]:
        """Every charge this key may see, newest first; ``reference`` finds the caller's own id."""
        cursor: str | None = None
        while True:
            query = {"reference": reference, "cursor": cursor, "limit": str(page_size)}
            page = read_page(self._transport.get("/v1/charges", query), Charge.read)
            yield from page.data
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    def _finish(
        self, charge_id: str, verb: str, body: Mapping[str, object], idempotency_key: str | None
    ) -> Charge:
        path = f"/v1/charges/{quote(charge_id, safe='')}/{verb}"
        return Charge.read(self._transport.post(path, body, idempotency_key))


def _moment(value: datetime | None) -> str | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("A time needs its time zone.")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")

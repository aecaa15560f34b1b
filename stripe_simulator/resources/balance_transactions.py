"""Balance transactions and the balance they add up to."""

from collections import defaultdict

from stripe_simulator.router import route
from stripe_simulator.values import Json
from stripe_simulator.wire.paging import page
from stripe_simulator.world import Call

_URL = "/v1/balance_transactions"


@route("GET", _URL, "BalanceTransactionListParams")
def index(call: Call) -> Json:
    entries = page(
        call,
        "balance_transaction",
        _URL,
        source=call.get("source"),
        type=call.get("type"),
        currency=call.get("currency"),
    )
    return entries | {"data": [_aged(call, entry) for entry in entries["data"]]}


@route("GET", _URL + "/{id}", "BalanceTransactionRetrieveParams")
def retrieve(call: Call) -> Json:
    return _aged(call, call.world.existing("balance_transaction", call.path["id"]))


def _aged(call: Call, entry: Json) -> Json:
    """Pending funds become available with time, without any event."""
    return entry | {"status": "available" if entry["available_on"] <= call.world.now() else "pending"}


@route("GET", "/v1/balance", "BalanceRetrieveParams")
def balance(call: Call) -> Json:
    sums: dict[str, dict[str, int]] = {"available": defaultdict(int), "pending": defaultdict(int)}
    for entry in call.world.store.find("balance_transaction"):
        sums[_aged(call, entry)["status"]][entry["currency"]] += entry["net"]
    return {
        "object": "balance",
        "livemode": False,
        **{state: _lines(amounts) for state, amounts in sums.items()},
    }


def _lines(amounts: dict[str, int]) -> list[Json]:
    return [
        {"amount": amount, "currency": currency, "source_types": {"card": amount}}
        for currency, amount in sorted(amounts.items())
    ] or [{"amount": 0, "currency": "usd", "source_types": {"card": 0}}]

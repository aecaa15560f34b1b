"""Whatever is asked, the answer is Stripe's: never a failure of the simulator itself."""

import random
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import httpx
import pytest

from stripe_simulator import resources, router
from stripe_simulator.wire.parameters import (
    Choice,
    Either,
    Flag,
    Integer,
    Items,
    Kind,
    Mapping,
    Number,
    Shape,
)
from tests.stripe_simulator.fixtures import API_KEY, Simulator
from tests.stripe_simulator.test_checkout import start
from tests.stripe_simulator.test_payment_intents import pay

_NAME = re.compile(r"[a-z_]+")
_NONSENSE = (
    "",
    "x",
    "-1",
    "0",
    "1",
    "2500",
    "99999999999999",
    "true",
    "usd",
    "eur",
    "card",
    "\u0661",
    "a b",
    "🙂",
)
_DEEPEST = 3
_LIKELY = {
    "amount": "500",
    "amount_to_capture": "500",
    "billing_scheme": "per_unit",
    "confirm": "true",
    "currency": "usd",
    "exp_month": "12",
    "exp_year": "2034",
    "limit": "3",
    "mode": "payment",
    "number": "4242424242424242",
    "payment_method_types": "card",
    "quantity": "2",
    "query": "status:'succeeded'",
    "source": "tok_visa",
    "success_url": "http://shop.example/",
    "token": "tok_visa",
    "type": "card",
    "unit_amount": "500",
    "url": "http://shop.example/hook",
    "value": "DE000000000",
}
_PREFIXES = {
    "charge": "ch_",
    "customer": "cus_",
    "default_payment_method": "pm_",
    "dispute": "du_",
    "id": "",
    "intent": "pi_",
    "payment_intent": "pi_",
    "payment_method": "pm_",
    "price": "price_",
    "product": "prod_",
    "refund": "re_",
    "session": "cs_",
    "setup_intent": "seti_",
}


class Guess:
    """Forms that are right often enough to get past the first check, and wrong everywhere else."""

    def __init__(self, seed: int, ids: list[str]) -> None:
        self.random = random.Random(seed)
        self.ids = ids

    def form(self, shape: Shape) -> dict[str, str]:
        return dict(self._hash(shape, "", 0))

    def _hash(self, shape: Shape, prefix: str, depth: int) -> Iterator[tuple[str, str]]:
        for name, field in shape.fields().items():
            wanted = 0.97 if field.required else 0.12 if depth == 0 else 0.2
            if self.random.random() < wanted:
                path = f"{prefix}[{name}]" if prefix else name
                yield from self._value(field.kind, path, depth)

    def _value(self, kind: Kind, path: str, depth: int) -> Iterator[tuple[str, str]]:
        if isinstance(kind, Either):
            kind = self.random.choice(kind.options)
        if isinstance(kind, Shape):
            if depth < _DEEPEST:
                yield from self._hash(kind, path, depth + 1)
        elif isinstance(kind, Items):
            for position in range(self.random.randint(0, 2)):
                yield from self._value(kind.of, f"{path}[{position}]", depth + 1)
        elif isinstance(kind, Mapping):
            yield f"{path}[key]", self.random.choice(_NONSENSE)
        else:
            yield path, self._scalar(kind, _NAME.findall(path)[-1])

    def identifier(self, name: str) -> str:
        """Mostly one of the right kind."""
        fitting = [known for known in self.ids if known.startswith(_PREFIXES.get(name, ""))]
        return self.random.choice(fitting if fitting and self.random.random() < 0.9 else self.ids)

    def _scalar(self, kind: Kind, name: str) -> str:
        if self.random.random() < 0.05:
            return self.random.choice(_NONSENSE)
        if name in _LIKELY and self.random.random() < 0.9:
            return _LIKELY[name]
        if name in _PREFIXES:
            return self.identifier(name)
        if isinstance(kind, Choice):
            return self.random.choice(kind.values)
        if isinstance(kind, Flag):
            return self.random.choice(("true", "false"))
        if isinstance(kind, Integer):
            return str(self.random.choice((0, 1, 50, 2500, 12, 2034, -5)))
        if isinstance(kind, Number):
            return self.random.choice(("0.054", "1", "x"))
        return self.random.choice((*self.ids, *_NONSENSE, "http://shop.example/", "4242424242424242"))


def known_ids(simulator: Simulator) -> list[str]:
    """One object of every kind, and names of cards."""
    client = simulator.client()
    customer = client.v1.customers.create({"email": "ada@example.com"})
    intent = pay(client, payment_method="pm_card_createDispute")
    held = pay(client, payment_method="pm_card_visa", capture_method="manual")
    session, setup = start(client), client.v1.setup_intents.create({"payment_method_types": ["card"]})
    other = pay(client, payment_method="pm_card_visa")
    refund = client.v1.refunds.create({"payment_intent": other.id, "amount": 100})
    found = [entry["event"] for entry in simulator.events()]
    objects = {event["data"]["object"]["id"] for event in found} | {found[0]["id"]}
    made = [customer.id, intent.id, held.id, other.id, session.id, setup.id, refund.id]
    return [*made, *sorted(objects), "pm_card_visa", "pm_card_authenticationRequired", "tok_visa"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_random_requests_to_every_operation_are_answered(clean_stripe: Simulator, seed: int) -> None:
    resources.load()
    clean_stripe.webhooks(hold=True)
    guess = Guess(seed, known_ids(clean_stripe))
    headers = {
        "Authorization": f"Bearer {API_KEY}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    for route in router.all_routes():
        for _ in range(3):
            form = urlencode(guess.form(route.params)) if route.params else ""
            path = route.fill(guess.identifier)
            answer: httpx.Response = clean_stripe.http.request(
                route.method,
                path,
                params=form if route.method != "POST" else None,
                content=form.encode() if route.method == "POST" else None,
                headers=headers,
            )
            assert answer.status_code < 500, f"{route.method} {path} {form}: {answer.text}"

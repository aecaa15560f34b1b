import pytest
import stripe

from tests.stripe_simulator.fixtures import Simulator
from tests.stripe_simulator.reading import plain


def made(client: stripe.StripeClient, count: int) -> list[str]:
    """Ids, the newest first."""
    return [client.v1.customers.create({"name": str(number)}).id for number in range(count)][::-1]


def test_pages_run_from_the_newest_to_the_oldest(client: stripe.StripeClient) -> None:
    ids = made(client, 5)
    first = client.v1.customers.list({"limit": 2})
    assert ([entry.id for entry in first.data], first.has_more, first.url) == (ids[:2], True, "/v1/customers")
    last = client.v1.customers.list({"limit": 3, "starting_after": ids[1]})
    assert ([entry.id for entry in last.data], last.has_more) == (ids[2:], False)
    before = client.v1.customers.list({"limit": 2, "ending_before": ids[4]})
    assert ([entry.id for entry in before.data], before.has_more) == (ids[2:4], True)
    assert [entry.id for entry in client.v1.customers.list({"limit": 2}).auto_paging_iter()] == ids


def test_ten_are_listed_unless_told(client: stripe.StripeClient) -> None:
    made(client, 11)
    page = client.v1.customers.list()
    assert (len(page.data), page.has_more) == (10, True)


@pytest.mark.parametrize("limit", [0, 101])
def test_a_limit_out_of_bounds_is_refused(client: stripe.StripeClient, limit: int) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.list({"limit": limit})
    assert (refused.value.param, refused.value.code) == ("limit", "parameter_invalid_integer")


def test_an_unknown_cursor_is_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.list({"starting_after": "cus_none"})
    assert (refused.value.param, refused.value.code) == ("starting_after", "resource_missing")


def test_creation_times_filter(simulator: Simulator, client: stripe.StripeClient) -> None:
    simulator.set_now(1_800_000_000, freeze=True)
    early = client.v1.customers.create({}).id
    simulator.set_now(1_800_000_100, freeze=True)
    late = client.v1.customers.create({}).id

    def found(created: dict[str, int] | int) -> list[str]:
        page = client.v1.customers.list({"created": created})  # type: ignore[arg-type]
        return [entry.id for entry in page.data]

    assert found({"gte": 1_800_000_100}) == [late]
    assert found({"gt": 1_800_000_000}) == [late]
    assert found({"lt": 1_800_000_100}) == [early]
    assert found({"gte": 1_800_000_000, "lte": 1_800_000_100}) == [late, early]
    assert found(1_800_000_000) == [early]


def test_lists_expand_through_data(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    client.v1.payment_intents.create({"amount": 100, "currency": "usd", "customer": customer.id})
    page = plain(client.v1.payment_intents.list({"expand": ["data.customer"]}))
    assert page["data"][0]["customer"]["email"] == "ada@example.com"


@pytest.mark.parametrize("path", ["amount", "nonsense", "latest_charge.amount.deeper", "data.customer"])
def test_what_cannot_be_expanded_is_refused(client: stripe.StripeClient, path: str) -> None:
    intent = client.v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "payment_method_types": ["card"],
            "confirm": True,
        }
    )
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        client.v1.payment_intents.retrieve(intent.id, {"expand": [path]})


def test_expansion_leaves_the_stored_object_alone(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    intent = client.v1.payment_intents.create({"amount": 100, "currency": "usd", "customer": customer.id})
    client.v1.payment_intents.retrieve(intent.id, {"expand": ["customer"]})
    assert client.v1.payment_intents.retrieve(intent.id).customer == customer.id

import pytest
import stripe

from tests.stripe_simulator.reading import plain


def test_a_product_with_its_default_price(client: stripe.StripeClient) -> None:
    made = client.v1.products.create(
        {
            "name": "Credits",
            "default_price_data": {"currency": "usd", "unit_amount": 2500},
            "expand": ["default_price"],
        }
    )
    price = plain(made)["default_price"]
    assert (price["unit_amount"], price["unit_amount_decimal"], price["type"]) == (2500, "2500", "one_time")
    assert client.v1.products.features.list(made.id).data == []
    assert client.v1.products.update(made.id, {"name": "More credits"}).name == "More credits"
    with pytest.raises(stripe.InvalidRequestError, match="user-created prices"):
        client.v1.products.delete(made.id)


def test_a_product_without_prices_can_be_deleted(client: stripe.StripeClient) -> None:
    made = client.v1.products.create({"id": "credits", "name": "Credits"})
    assert client.v1.products.delete("credits").deleted is True
    with pytest.raises(stripe.InvalidRequestError, match="No such product"):
        client.v1.products.retrieve(made.id)


def test_prices_filter_and_keep_their_amount(client: stripe.StripeClient) -> None:
    product = client.v1.products.create({"name": "Pro"})
    monthly = client.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 3900,
            "product": product.id,
            "recurring": {"interval": "month"},
            "lookup_key": "pro",
        }
    )
    exact = client.v1.prices.create(
        {"currency": "usd", "unit_amount_decimal": "0.054", "product": product.id}  # type: ignore[typeddict-item]
    )
    assert (exact.unit_amount, str(exact.unit_amount_decimal)) == (None, "0.054")
    assert [price.id for price in client.v1.prices.list({"lookup_keys": ["pro"]}).data] == [monthly.id]
    assert [price.id for price in client.v1.prices.list({"type": "one_time"}).data] == [exact.id]
    assert client.v1.prices.update(monthly.id, {"active": False}).active is False
    assert [price.id for price in client.v1.prices.list({"active": True}).data] == [exact.id]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.prices.update(exact.id, {"unit_amount": 1})  # type: ignore[arg-type]
    assert refused.value.code == "parameter_unknown"


def test_a_lookup_key_belongs_to_one_price(client: stripe.StripeClient) -> None:
    product = client.v1.products.create({"name": "Pro"})
    first = client.v1.prices.create(
        {"currency": "usd", "unit_amount": 100, "product": product.id, "lookup_key": "pro"}
    )
    with pytest.raises(stripe.InvalidRequestError, match="already uses that lookup key"):
        client.v1.prices.create(
            {"currency": "usd", "unit_amount": 200, "product": product.id, "lookup_key": "pro"}
        )
    client.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 200,
            "product": product.id,
            "lookup_key": "pro",
            "transfer_lookup_key": True,
        }
    )
    assert client.v1.prices.retrieve(first.id).lookup_key is None

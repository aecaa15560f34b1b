import pytest
import stripe

from tests.stripe_simulator.reading import plain


def test_a_customer_comes_back_as_created(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create(
        {
            "email": "ada@example.com",
            "address": {"country": "DE", "line1": "Street 1"},
            "metadata": {"account": "a1"},
        }
    )
    found = plain(client.v1.customers.retrieve(made.id))
    assert found == plain(made)
    assert found["id"].startswith("cus_")
    unset = dict.fromkeys(("city", "line2", "postal_code", "state"))
    assert found["address"] == {**unset, "country": "DE", "line1": "Street 1"}
    assert found["metadata"] == {"account": "a1"}
    assert found["tax_exempt"] == "none"
    assert "tax_ids" not in found


def test_metadata_is_merged_and_unset_key_by_key(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create({"metadata": {"a": "1", "b": "2"}})
    changed = client.v1.customers.update(made.id, {"metadata": {"b": "", "c": "3"}})
    assert plain(changed)["metadata"] == {"a": "1", "c": "3"}
    emptied = client.v1.customers.update(made.id, {"metadata": ""})
    assert plain(emptied)["metadata"] == {}


def test_an_empty_value_unsets_a_field(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    changed = client.v1.customers.update(customer.id, {"name": "", "address": ""})
    assert (changed.name, changed.address, changed.email) == (None, None, "ada@example.com")


def test_a_deleted_customer_is_answered_for_by_its_stub(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    stub = client.v1.customers.delete(customer.id)
    assert plain(stub) == {"id": customer.id, "object": "customer", "deleted": True}
    assert client.v1.customers.retrieve(customer.id).deleted is True
    assert client.v1.customers.list().data == []
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        client.v1.customers.update(customer.id, {"name": "Bea"})


def test_an_unknown_customer_is_resource_missing(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.retrieve("cus_nobody")
    error = refused.value
    assert (error.http_status, error.code, error.param) == (404, "resource_missing", "id")
    assert error.user_message == "No such customer: 'cus_nobody'"
    body = error.json_body["error"]  # type: ignore[index]
    assert body["doc_url"] == "https://stripe.com/docs/error-codes/resource-missing"
    assert error.request_id in body["request_log_url"]


def test_the_default_payment_method_must_be_the_customers_own(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    foreign = client.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    with pytest.raises(stripe.InvalidRequestError, match="must be attached"):
        client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": foreign.id}})
    own = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    changed = client.v1.customers.update(
        customer.id,
        {
            "invoice_settings": {"default_payment_method": own.id},
            "expand": ["invoice_settings.default_payment_method"],
        },
    )
    expanded = plain(changed)["invoice_settings"]["default_payment_method"]
    assert expanded == plain(client.v1.payment_methods.retrieve(own.id))


def test_an_update_says_what_it_changed(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    client.v1.customers.update(customer.id, {"name": "Bea", "metadata": {"k": "v"}})
    event = plain(client.v1.events.list({"type": "customer.updated"}).data[0])
    assert event["data"]["previous_attributes"] == {"metadata": {"k": None}, "name": "Ada"}
    assert event["data"]["object"]["name"] == "Bea"


def test_customers_are_listed_by_email(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    client.v1.customers.create({"email": "bea@example.com"})
    found = client.v1.customers.list({"email": "ada@example.com"})
    assert [entry.id for entry in found.data] == [customer.id]


def test_tax_ids_are_verified_by_their_published_test_values(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    good = client.v1.customers.tax_ids.create(customer.id, {"type": "eu_vat", "value": "DE000000000"})
    assert (good.country, plain(good)["verification"]["status"]) == ("DE", "pending")
    found = plain(client.v1.customers.retrieve(customer.id, {"expand": ["tax_ids"]}))
    assert found["tax_ids"]["data"][0]["verification"]["status"] == "verified"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.tax_ids.create(customer.id, {"type": "eu_vat", "value": "nonsense"})
    assert refused.value.code == "tax_id_invalid"
    assert client.v1.customers.tax_ids.delete(customer.id, good.id).deleted is True
    assert client.v1.customers.tax_ids.list(customer.id).data == []

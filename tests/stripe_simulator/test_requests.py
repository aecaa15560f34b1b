"""What holds for every request: keys, headers, unknown addresses, bodies that are no forms."""

import base64

import pytest
import stripe

from tests.stripe_simulator.fixtures import API_KEY, Simulator

BEARER = {"Authorization": f"Bearer {API_KEY}"}


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (None, "You did not provide an API key"),
        ("Bearer nonsense", "Invalid API Key provided"),
        ("Bearer sk_live_abcdefghijklmnopqrstuvwx", "Live mode key refused"),
        ("Bearer pk_test_abcdefghijklmnopqrstuvwx", "publishable API key"),
    ],
)
def test_without_a_test_key_nothing_happens(simulator: Simulator, header: str | None, said: str) -> None:
    answer = simulator.http.get("/v1/customers", headers={"Authorization": header} if header else {})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (401, "invalid_request_error")
    assert said in error["message"]
    assert "abcdefghij" not in error["message"]


def test_basic_authentication_carries_the_key_as_user_name(simulator: Simulator) -> None:
    token = base64.b64encode(f"{API_KEY}:".encode()).decode()
    assert simulator.http.get("/v1/customers", headers={"Authorization": f"Basic {token}"}).status_code == 200


def test_headers_name_the_request_and_the_version(simulator: Simulator) -> None:
    answer = simulator.http.get("/v1/customers", headers=BEARER)
    assert answer.headers["request-id"].startswith("req_")
    assert answer.headers["stripe-version"] == "2026-08-26.dahlia"
    older = simulator.http.get("/v1/customers", headers=BEARER | {"Stripe-Version": "2025-01-27.acacia"})
    assert older.headers["stripe-version"] == "2025-01-27.acacia"
    wrong = simulator.http.get("/v1/customers", headers=BEARER | {"Stripe-Version": "newest"})
    assert wrong.json()["error"]["message"] == "Invalid Stripe API version: newest"


@pytest.mark.parametrize("path", ["/v1/nonsense", "/v1/customers/", "/v1/customers/cus_1/nonsense", "/v1/"])
def test_an_unknown_address_says_so(simulator: Simulator, path: str) -> None:
    answer = simulator.http.get(path, headers=BEARER)
    assert answer.status_code == 404
    assert answer.json()["error"]["message"].startswith(f"Unrecognized request URL (GET: {path})")


@pytest.mark.parametrize(
    "body",
    [
        b"name=%00",
        b"name=%ff",
        b"\xff\xfe",
        b"name[a]=1&name=2",
        b"name=1&name[a]=2",
        b"metadata[a][b]=1",
        b"metadata=1",
        b"a" + b"[b]" * 50 + b"=1",
        b"=1",
        b"[]=1",
        b"expand=1",
        b"expand[x]=1",
        b"name=" + b"x" * 6000,
        b"metadata[" + b"k" * 41 + b"]=v",
        b"metadata[k]=" + b"v" * 501,
        b"address=here",
        b"balance=1.5",
        b"balance=1e3",
        b"balance=99999999999999999999",
        "balance=١".encode(),
    ],
)
def test_a_body_that_makes_no_sense_is_a_400_and_creates_nothing(
    simulator: Simulator, client: stripe.StripeClient, body: bytes
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = simulator.http.post("/v1/customers", content=body, headers=BEARER | form)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert client.v1.customers.list().data == []


def test_json_is_refused_with_a_sentence(simulator: Simulator) -> None:
    answer = simulator.http.post("/v1/customers", json={"name": "Ada"}, headers=BEARER)
    assert answer.status_code == 400
    assert "not JSON" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        "payment_method_types[]=card&amount=500&currency=usd",
        "payment_method_types[0]=card&amount=500&currency=usd",
    ],
)
def test_arrays_come_in_both_notations(simulator: Simulator, body: str) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = simulator.http.post("/v1/payment_intents", content=body, headers=BEARER | form)
    assert answer.json()["payment_method_types"] == ["card"]


def test_hashes_in_an_array_without_numbers(simulator: Simulator) -> None:
    body = "mode=payment&success_url=http://shop.example/"
    for amount in (1000, 1500):
        body += f"&line_items[][price_data][currency]=usd&line_items[][price_data][unit_amount]={amount}"
        body += "&line_items[][price_data][product_data][name]=x&line_items[][quantity]=1"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = simulator.http.post("/v1/checkout/sessions", content=body, headers=BEARER | form)
    assert answer.json()["amount_total"] == 2500


def test_the_account_is_the_simulators_own(client: stripe.StripeClient) -> None:
    account = client.v1.accounts.retrieve_current()
    assert client.v1.accounts.retrieve(account.id).charges_enabled is True
    assert client.v1.accounts.list().data == []
    with pytest.raises(stripe.PermissionError):
        client.v1.accounts.retrieve("acct_other")

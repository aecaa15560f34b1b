"""What a key may spend, set on the keys page; and who may set it."""

import re
from typing import Any

import pytest
from django.test import Client

from accounts.keys import create_key
from accounts.models import ApiKey, BillingAccount, Role
from billing.ledger import key_limits
from tests.billing.views.conftest import CREDIT, SignIn, work


def words(response: Any) -> str:
    html = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r"\s+", " ", html).replace("\xa0", " ")


@pytest.fixture
def key(account: BillingAccount) -> ApiKey:
    made, _ = create_key(account=account, name="Production")
    return made


def limits_of(key: ApiKey) -> tuple[int | None, int | None]:
    row = key_limits.of(key.account_id).get(key.pk)  # type: ignore[arg-type]
    return (None, None) if row is None else (row.monthly, row.budget)


def test_limits_are_set_shown_with_meters_and_taken_away(
    browser: Client, account: BillingAccount, key: ApiKey
) -> None:
    work(account, 15, api_key=key.pk)
    form = browser.get(f"/keys/{key.public_id}/limit")
    assert "has spent 15 credits this month and 15 credits in all" in words(form)
    saved = browser.post(f"/keys/{key.public_id}/limit", {"monthly": "18", "budget": "100.5"}, follow=True)
    assert limits_of(key) == (18 * CREDIT, 100_500_000)
    text = words(saved)
    assert "The limits of “Production” are saved." in text
    assert "15 of 18 a month" in text
    assert "15 of 100.5 in all" in text
    html = saved.content.decode()
    assert 'width="83%"' in html
    assert 'width="14%"' in html
    assert "15 of 18 a month" in words(browser.get("/limits"))
    assert 'name="monthly" value="18"' in browser.get(f"/keys/{key.public_id}/limit").content.decode()
    browser.post(f"/keys/{key.public_id}/limit", {"monthly": "", "budget": ""})
    assert limits_of(key) == (None, None)


def test_every_key_s_spend_is_shown(browser: Client, account: BillingAccount, key: ApiKey) -> None:
    other, _ = create_key(account=account, name="Other")
    work(account, 5, api_key=key.pk)
    work(account, 10, api_key=other.pk, settle_now=False)
    text = words(browser.get("/keys"))
    assert re.search(r"Production.*5 credits 5 in all", text)
    assert re.search(r"Other.*10 credits 10 in all", text)


@pytest.mark.parametrize("typed", ["abc", "-1", "1e3"])
def test_what_cannot_be_read_is_kept_and_explained(
    browser: Client, account: BillingAccount, key: ApiKey, typed: str
) -> None:
    response = browser.post(f"/keys/{key.public_id}/limit", {"monthly": typed, "budget": "5"})
    html = response.content.decode()
    assert response.status_code == 422
    assert f'name="monthly" value="{typed}"' in html
    assert 'name="budget" value="5"' in html
    assert 'id="id_monthly_error"' in html
    assert limits_of(key) == (None, None)


def test_a_dialog_for_htmx(browser: Client, account: BillingAccount, key: ApiKey) -> None:
    html = browser.get(f"/keys/{key.public_id}/limit", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in html
    assert "What may this key spend?" in html
    saved = browser.post(
        f"/keys/{key.public_id}/limit", {"monthly": "5", "budget": ""}, headers={"HX-Request": "true"}
    )
    assert saved["HX-Redirect"] == "/keys"


def test_a_rotated_key_and_its_successor_spend_one_limit(
    browser: Client, account: BillingAccount, key: ApiKey
) -> None:
    work(account, 5, api_key=key.pk)
    browser.post(f"/keys/{key.public_id}/limit", {"monthly": "8", "budget": ""})
    browser.post(f"/keys/{key.public_id}/rotate")
    successor = ApiKey.objects.get(replaces=key)
    work(account, 2, api_key=successor.pk)
    both = key_limits.of(account.pk)
    assert both[key.pk] == both[successor.pk]
    assert (both[key.pk].monthly, both[key.pk].month_accepted) == (8 * CREDIT, 7 * CREDIT)
    for shown in (key, successor):
        html = " ".join(browser.get(f"/keys/{shown.public_id}/limit").content.decode().split())
        assert ", with the key of its rotation, has spent" in html
    listed = browser.get("/keys").content.decode().replace("\xa0", " ")
    assert listed.count(">7 of 8 a month<") == 2


@pytest.mark.parametrize(("role", "status"), [(Role.BILLING, 200), (Role.DEVELOPER, 403), (Role.VIEWER, 403)])
def test_limits_are_a_matter_of_billing(
    account: BillingAccount, key: ApiKey, sign_in: SignIn, role: str, status: int
) -> None:
    browser = sign_in(account, role)
    assert browser.get(f"/keys/{key.public_id}/limit").status_code == status
    assert ("/limit" in browser.get("/keys").content.decode().replace('"/limits"', "")) is (status == 200)


def test_somebody_else_s_key_does_not_exist(browser: Client, stranger: BillingAccount) -> None:
    theirs, _ = create_key(account=stranger, name="Theirs")
    assert browser.post(f"/keys/{theirs.public_id}/limit", {"monthly": "5"}).status_code == 404
    assert limits_of(theirs) == (None, None)

"""The pricing page: what is offered, at what price, and what is not."""

import re

import pytest
from django.test import Client

from accounts.models import BillingAccount
from billing.services.accounts import open_account
from catalog import snapshot
from tests import price_lists
from tests.billing.views.conftest import SignIn


def words(html: str) -> str:
    """The text, cells and notes apart from each other."""
    apart = re.sub(r'</?(?:td|th|tr|p|option)\b[^>]*>|<span class="price-note">', " ", html)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", apart)).replace("\xa0", " ")


@pytest.fixture
def profile(ads: None, sign_in: SignIn) -> "type[Visit]":
    Visit.sign_in = staticmethod(sign_in)
    return Visit


class Visit:
    """The pricing page as a member of a new account on a profile sees it."""

    sign_in: SignIn

    @classmethod
    def of(cls, name: str, query: str = "") -> str:
        price_lists.load(name)
        snapshot.refresh()
        account = open_account(name=name, email="pay@example.com", profile=name)
        return words(cls.sign_in(account, "viewer").get(f"/pricing{query}").content.decode())


def test_anybody_may_read_it(ads: None, client: Client) -> None:
    said = words(client.get("/pricing").content.decode())
    assert "1 credit is $0.10" in said
    assert re.search(r"Static .*?5 credits \$0.50 Full .*?15 credits \$1.50", said), said
    assert "Sign in" in said


def test_a_member_sees_what_their_account_pays(account: BillingAccount, browser: Client) -> None:
    assert "What Northwind pays" in words(browser.get("/pricing").content.decode())


def test_without_a_price_list_there_is_no_page(db: None, client: Client) -> None:
    snapshot.expire()
    assert client.get("/pricing").status_code == 404


def test_what_is_not_offered_is_a_dash(profile: type[Visit]) -> None:
    said = profile.of("toon")
    # Video (5s) costs 10 credits with Gemini Pro and is offered by no other model.
    assert re.search(r"Gemini Pro 3 credits / image .*?10 credits \$1.60 20 credits \$3.20 Nano", said), said
    assert re.search(r"Nano Banana 2 (2 credits / image \$0.32 ){3}– –", said)
    assert "– means not offered" in said


def test_approximate_prices_are_marked(profile: type[Visit]) -> None:
    said = profile.of("images")
    assert re.search(r"Nano Banana Pro premium ≈ approximately 0.12–€0.16 / image", said)
    assert "Resize €0.001" in said


def test_free_things_are_shown_as_free_and_gates_named(profile: type[Visit]) -> None:
    said = profile.of("sites")
    assert re.search(r"Free", said)
    assert "Pro+" in said


def test_a_pipeline_shows_the_phases_it_is_the_sum_of(profile: type[Visit]) -> None:
    said = profile.of("sites")
    phases = "Hero image HD ≈ approximately 20–60Motion video, 8 s 1080p 256HTML assembly ≈ approximately 8"
    reserve = "Frame extraction FreeFurther images and second tries, only where used ≈ approximately 116–276"
    assert re.search(rf"400–600 credits[^≈]*{phases}{reserve}", said), said


@pytest.mark.parametrize(
    ("query", "there", "missing"), [("?q=resize", "Resize", "Crop"), ("?operation=crop", "Crop", "Resize")]
)
def test_search_and_operation_narrow_it(profile: type[Visit], query: str, there: str, missing: str) -> None:
    said = profile.of("images", query)
    assert f"{there} €" in said, said
    assert f"{missing} €" not in said


def test_nothing_found_says_so(ads: None, client: Client) -> None:
    assert "Nothing matches" in client.get("/pricing?q=xyzzy%00").content.decode()


def test_htmx_gets_the_tables_alone(ads: None, client: Client) -> None:
    html = client.get("/pricing?q=full", HTTP_HX_REQUEST="true", HTTP_HX_TARGET="prices").content.decode()
    assert "<html" not in html
    assert "Full" in html
    assert ">Static<" not in html


def test_every_list_is_a_tab_for_anybody(images: None, client: Client) -> None:
    said = client.get("/pricing?profile=images").content.decode()
    assert 'href="?profile=ads"' in said
    assert "€0.001" in words(said)
    assert client.get("/pricing?profile=nobody").status_code == 404


def test_a_member_may_read_another_list(images: None, browser: Client, account: BillingAccount) -> None:
    said = words(browser.get("/pricing?profile=images").content.decode())
    assert "This is everybody’s price list" in said
    assert "What Northwind pays" in said


def test_plans_are_compared_for_anybody(profile: type[Visit], client: Client) -> None:
    profile.of("toon")
    said = words(client.get("/pricing?profile=toon").content.decode())
    assert "Compare plans" in said
    assert re.search(r"A month \$0 \$16 \$39 \$79 No fee", said), said
    assert re.search(r"API keys None 4 10 20 Any number", said), said
    assert "Your last 30 days" not in said


def test_a_monthly_count_is_told_with_the_price(profile: type[Visit]) -> None:
    assert "2 a month" in profile.of("sites")

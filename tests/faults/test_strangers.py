"""Other people's ids on every address that takes one, for every role: as if they did not exist.

What a stranger is answered for a real id is exactly what they are answered for one that never existed, and nothing changes.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.timezone import now

from accounts.invitations import invite
from accounts.keys import create_key
from accounts.models import ApiKey, BillingAccount, Invitation, Membership, Role, User
from billing.api.document import document
from billing.ledger.models import Balance, Charge, Transaction
from billing.models import AutoRecharge, Invoice, Payment, PaymentMethod
from billing.services import charges
from billing.services.accounts import open_account
from config.ids import new_id, public_id
from soak import making
from tests.billing.conftest import ads

__all__ = ["ads"]
pytestmark = pytest.mark.usefixtures("ads")

IDS = {
    "<str:key_id>": "key", "<str:transaction_id>": "txn", "<str:card_id>": "pm", "<str:invoice_id>": "inv",
    "<int:invitation_id>": "invitation", "<int:membership_id>": "member", "{charge_id}": "ch",
    "{key_id}": "key", "{invoice_id}": "inv",
}  # fmt: skip
"""What stands in an address for something that belongs to an account → whose id it is."""
NOT_OURS = ("admin/", "accounts/", "stripe/", "__")
NOBODYS = ("<slug:plan>", "<slug:mode>", "<str:month>", "<str:token>", "<path:", "(")
"""What names nothing of an account: plans, ways to pay, months; an invitation's token is the secret itself."""
KEPT = (ApiKey, Balance, Charge, Transaction, Payment, PaymentMethod, AutoRecharge, Membership, Invitation)


def addresses() -> list[str]:
    """Every page that takes an id of something."""
    return sorted(set(_walk(get_resolver().url_patterns, "/")))


def _walk(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if path[1:].startswith((*NOT_OURS, "v1/", "api/")):
            continue
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path)
        elif "<" in path:
            yield path


PAGES = [path for path in addresses() if not any(mark in path for mark in NOBODYS)]
CALLS = [
    (method.upper(), path)
    for path, methods in document()["paths"].items()
    for method in methods
    if "{" in path and "{month}" not in path and method in ("get", "post", "put", "delete")
]


@pytest.fixture
def theirs() -> dict[str, str]:
    """Everything that the other account has, by what it is called in an address."""
    cache.clear()
    owner = User.objects.create_user("owner@northwind.example", name="Nora")
    account = open_account(name="Northwind", email="pay@northwind.example", user=owner, profile="ads")
    card = PaymentMethod.objects.create(
        account=account,
        stripe_id="pm_1",
        brand="visa",
        last4="4242",
        exp_month=1,
        exp_year=2040,
        is_default=True,
    )
    member = Membership.objects.get(account=account)
    invite(account=account, email="new@northwind.example", role=Role.VIEWER, invited_by=owner)
    charge = making.held(account.pk, 1, settle_now=True)
    bill = _invoice(account)
    return {
        "key": create_key(account=account, name="Live")[0].public_id,
        "txn": Transaction.objects.filter(account_id=account.pk)[0].public_id,
        "pm": card.public_id,
        "inv": bill.public_id,
        "invitation": str(Invitation.objects.get(account=account).pk),
        "member": str(member.pk),
        "ch": public_id("ch", charge),
    }


def _invoice(account: BillingAccount) -> Invoice:
    return Invoice.objects.create(
        number=1, account=account, name="Northwind", email="pay@northwind.example", unit="credit", total=1,
        starts_at=now() - timedelta(days=30), ends_at=now(), currency="USD", due_minor=1, issued_at=now(), due_at=now(),
        transaction_id=new_id(),
    )  # fmt: skip


def nothing(theirs: dict[str, str]) -> dict[str, str]:
    """The same kinds of ids, of things that never existed."""
    return {
        name: f"{value.partition('_')[0]}_{'0' * 32}" if "_" in value else "999999999"
        for name, value in theirs.items()
    }


def filled(path: str, ids: dict[str, str]) -> str:
    for mark, name in IDS.items():
        path = path.replace(mark, ids[name])
    assert "<" not in path
    assert "{" not in path, f"{path} takes an id that this test does not know; add it to IDS"
    return path


def snapshot_of_all() -> list[list[object]]:
    return [list(model.objects.order_by("pk").values()) for model in KEPT]


@pytest.fixture(params=sorted(Role.values))
def stranger(request: pytest.FixtureRequest) -> Client:
    """Somebody with this role in an account of their own."""
    me = User.objects.create_user("me@elsewhere.example", name="Me")
    mine = open_account(name="Elsewhere", email="me@elsewhere.example", profile="ads")
    Membership.objects.create(account=mine, user=me, role=request.param)
    client = Client()
    client.force_login(me)
    return client


@pytest.mark.parametrize("path", PAGES)
def test_a_page_knows_nothing_of_other_people_s_things(
    theirs: dict[str, str], stranger: Client, path: str
) -> None:
    before = snapshot_of_all()
    for method in ("GET", "POST"):
        real = stranger.generic(method, filled(path, theirs))
        none = stranger.generic(method, filled(path, nothing(theirs)))
        assert real.status_code == none.status_code
        assert real.status_code in {403, 404, 405}, f"{method} {path}"
        assert real.status_code != 403 or b"You are" in real.content, (
            "403 is said of the role, not of the thing"
        )
    assert snapshot_of_all() == before


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_the_api_knows_nothing_of_other_people_s_charges(
    theirs: dict[str, str], method: str, path: str
) -> None:
    mine = open_account(name="Elsewhere", email="me@elsewhere.example", profile="ads")
    bearer = {"authorization": f"Bearer {create_key(account=mine, name='Mine')[1]}"}
    before = snapshot_of_all()
    real, none = (
        Client(headers=bearer).generic(method, filled(path, ids), b"{}", content_type="application/json")
        for ids in (theirs, nothing(theirs))
    )
    assert real.status_code == none.status_code
    assert real.status_code in {403, 404, 422}, f"{method} {path}"
    assert method != "GET" or real.status_code == 404
    assert snapshot_of_all()[1:] == before[1:]


def test_every_address_with_an_id_is_tried() -> None:
    assert len(PAGES) >= 10
    assert {path for _, path in CALLS}
    assert charges.charge_id_of(public_id("ch", new_id()))

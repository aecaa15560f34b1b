"""The table of test cards: number → what the card is and does, and the names `pm_card_…` and `tok_…` for it.

Source: docs.stripe.com/testing. A number that is not in the table and passes the Luhn check
behaves like a card that always succeeds.
"""

from dataclasses import dataclass
from typing import Literal

from stripe_simulator.cards import declines
from stripe_simulator.cards.declines import Decline

Authentication = Literal["optional", "on_session", "until_set_up", "set_up", "always"]
"""When 3-D Secure is asked for: never by itself; when the customer is present; off-session too until the card
was set up with authentication; never off-session, as if set up; every time."""

RefundOutcome = Literal["succeeds", "fails_later", "pending"]
DisputeKind = Literal["fraudulent", "product_not_received", "inquiry"]


@dataclass(frozen=True)
class TestCard:
    number: str
    names: tuple[str, ...] = ()
    brand: str = "visa"
    country: str = "US"
    funding: str = "credit"
    decline: Decline | None = None
    """Refused when charged; after authentication where that is asked for."""
    can_be_saved: bool = True
    """False: refused when attached to a customer too."""
    authentication: Authentication = "optional"
    refund: RefundOutcome = "succeeds"
    dispute: DisputeKind | None = None
    cvc_passes: bool = True
    postal_code_passes: bool = True
    risk: tuple[str, int] = ("normal", 32)
    settles_at_once: bool = False
    """Funds go straight to the available balance."""


def _declined(number: str, decline: Decline, *names: str) -> TestCard:
    return TestCard(number, names, decline=decline, can_be_saved=False)


_CARDS = (
    TestCard("4242424242424242", ("visa", "us")),
    TestCard("4000056655665556", ("visa_debit",), funding="debit"),
    TestCard("5555555555554444", ("mastercard",), brand="mastercard"),
    TestCard("2223003122003222", ("mastercard_2_series",), brand="mastercard"),
    TestCard("5200828282828210", ("mastercard_debit",), brand="mastercard", funding="debit"),
    TestCard("5105105105105100", ("mastercard_prepaid",), brand="mastercard", funding="prepaid"),
    TestCard("378282246310005", ("amex",), brand="amex"),
    TestCard("371449635398431", brand="amex"),
    TestCard("6011111111111117", ("discover",), brand="discover"),
    TestCard("3056930009020004", ("diners",), brand="diners"),
    TestCard("36227206271667", brand="diners"),
    TestCard("3566002020360505", ("jcb",), brand="jcb", country="JP"),
    TestCard("6200000000000005", ("unionpay",), brand="unionpay", country="CN"),
    TestCard("4000002760000016", ("de",), country="DE"),
    TestCard("4000002500000003", ("fr",), country="FR"),
    TestCard("4000008260000000", ("gb",), country="GB"),
    TestCard("4000000400000008", ("at",), country="AT"),
    TestCard("4000000560000004", ("be",), country="BE"),
    TestCard("4000003720000005", ("ie",), country="IE"),
    TestCard("4000003800000008", ("it",), country="IT"),
    TestCard("4000005280000002", ("nl",), country="NL"),
    TestCard("4000007240000007", ("es",), country="ES"),
    TestCard("4000007520000008", ("se",), country="SE"),
    TestCard("4000007560000009", ("ch",), country="CH"),
    TestCard("4000001240000000", ("ca",), country="CA"),
    TestCard("4000003920000003", ("jp",), country="JP"),
    TestCard("4000000360000006", ("au",), country="AU"),
    _declined("4000000000000002", declines.GENERIC, "chargeDeclined", "visa_chargeDeclined"),
    _declined(
        "4000000000009995",
        declines.INSUFFICIENT_FUNDS,
        "chargeDeclinedInsufficientFunds",
        "visa_chargeDeclinedInsufficientFunds",
    ),
    _declined("4000000000009987", declines.LOST, "chargeDeclinedLostCard", "visa_chargeDeclinedLostCard"),
    _declined(
        "4000000000009979", declines.STOLEN, "chargeDeclinedStolenCard", "visa_chargeDeclinedStolenCard"
    ),
    _declined("4000000000000069", declines.EXPIRED, "chargeDeclinedExpiredCard"),
    _declined("4000000000000127", declines.INCORRECT_CVC, "chargeDeclinedIncorrectCvc"),
    _declined("4000000000000119", declines.PROCESSING_ERROR, "chargeDeclinedProcessingError"),
    _declined(
        "4000000000006975",
        declines.VELOCITY,
        "chargeDeclinedVelocityLimitExceeded",
        "visa_chargeDeclinedVelocityLimitExceeded",
    ),
    TestCard("4000000000000341", ("chargeCustomerFail",), decline=declines.GENERIC),
    TestCard(
        "4100000000000019",
        ("radarBlock", "chargeDeclinedFraudulent"),
        decline=declines.FRAUDULENT,
        risk=("highest", 91),
    ),
    TestCard("4000000000004954", ("riskLevelHighest",), decline=declines.FRAUDULENT, risk=("highest", 85)),
    TestCard("4000000000009235", ("riskLevelElevated",), risk=("elevated", 68)),
    TestCard("4000000000000101", ("cvcCheckFail",), cvc_passes=False),
    TestCard("4000000000000036", ("avsZipFail",), postal_code_passes=False),
    TestCard("4000000000000010", ("avsFail",), postal_code_passes=False),
    TestCard(
        "4000002500003155", ("authenticationRequiredOnSetup",), country="FR", authentication="until_set_up"
    ),
    TestCard("4000002760003184", ("authenticationRequired",), country="DE", authentication="always"),
    TestCard(
        "4000003800000446",
        ("authenticationRequiredSetupForOffSession",),
        country="IT",
        authentication="set_up",
    ),
    TestCard(
        "4000008260003178",
        ("authenticationRequiredChargeDeclinedInsufficientFunds",),
        country="GB",
        authentication="always",
        decline=declines.INSUFFICIENT_FUNDS,
    ),
    TestCard("4000000000003220", ("threeDSecure2Required",), authentication="until_set_up"),
    TestCard("4000000000003063", ("threeDSecureRequired",), authentication="until_set_up"),
    TestCard(
        "4000008400001629",
        ("threeDSecureRequiredChargeDeclined",),
        authentication="always",
        decline=declines.GENERIC,
    ),
    TestCard(
        "4000008400001280",
        ("threeDSecureRequiredProcessingError",),
        authentication="always",
        decline=declines.PROCESSING_ERROR,
    ),
    TestCard("4000000000003055", ("threeDSecureOptional",)),
    TestCard("4000000000000259", ("createDispute",), dispute="fraudulent"),
    TestCard("4000000000002685", ("createDisputeProductNotReceived",), dispute="product_not_received"),
    TestCard("4000000000001976", ("createDisputeInquiry",), dispute="inquiry"),
    TestCard("4000000000005126", ("refundFail",), refund="fails_later"),
    TestCard("4000000000007726", ("pendingRefund",), refund="pending"),
    TestCard("4000000000000077", ("bypassPending",), settles_at_once=True),
    TestCard("4000003720000278", ("bypassPendingInternational",), country="IE", settles_at_once=True),
)

_BY_NUMBER = {card.number: card for card in _CARDS}
_BY_NAME = {name: card for card in _CARDS for name in card.names}

_BRANDS = (
    ("34", "amex"),
    ("37", "amex"),
    ("5", "mastercard"),
    ("2", "mastercard"),
    ("6", "discover"),
    ("3", "diners"),
)
_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def passes_luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    total = sum(digits[::2]) + sum(_LUHN_DOUBLED[digit] for digit in digits[1::2])
    return total % 10 == 0


def card(number: str) -> TestCard:
    """The card of this number; one that always succeeds if it is none of the published ones."""
    brand = next((brand for lead, brand in _BRANDS if number.startswith(lead)), "visa")
    return _BY_NUMBER.get(number) or TestCard(number, brand=brand)


def named(identifier: str) -> TestCard | None:
    """The card behind `pm_card_visa`, `tok_chargeDeclined` and the like; None for any other identifier."""
    for prefix in ("pm_card_", "tok_"):
        if identifier.startswith(prefix):
            return _BY_NAME.get(identifier.removeprefix(prefix))
    return None


def brand_label(brand: str) -> str:
    return {"amex": "American Express", "jcb": "JCB", "unionpay": "UnionPay"}.get(brand, brand.capitalize())

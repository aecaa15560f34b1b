"""Pure: what the bank says to a test card."""

from typing import Literal

from stripe_simulator.cards.declines import AUTHENTICATION_REQUIRED, Decline
from stripe_simulator.cards.numbers import TestCard

AUTHENTICATE: Literal["authenticate"] = "authenticate"
Outcome = Decline | Literal["authenticate"] | None
"""A refusal, a wish for 3-D Secure, or None: paid."""


def needs_authentication(
    card: TestCard, *, off_session: bool, set_up: bool, requested: str = "automatic"
) -> bool:
    """`set_up`: this payment method was authenticated for off-session use before."""
    if off_session:
        return card.authentication == "always" or (card.authentication == "until_set_up" and not set_up)
    return card.authentication != "optional" or requested in ("any", "challenge")


def charge(
    card: TestCard,
    *,
    off_session: bool,
    set_up: bool,
    authenticated: bool = False,
    requested: str = "automatic",
    refuse_action: bool = False,
) -> Outcome:
    """`refuse_action`: the caller cannot show 3-D Secure, so needing it is a refusal."""
    asks = needs_authentication(card, off_session=off_session, set_up=set_up, requested=requested)
    if asks and not authenticated:
        return AUTHENTICATION_REQUIRED if off_session or refuse_action else AUTHENTICATE
    return card.decline


def save(card: TestCard, *, authenticated: bool = False, off_session: bool = False) -> Outcome:
    """What the bank says when a card is only saved."""
    if card.authentication in ("always", "until_set_up") and not authenticated:
        return AUTHENTICATION_REQUIRED if off_session else AUTHENTICATE
    if not card.can_be_saved or (card.authentication == "always" and _fails_setup(card)):
        return card.decline
    return None


def _fails_setup(card: TestCard) -> bool:
    """Cards that are declined after 3-D Secure whatever it was for; the others only when money is asked."""
    return card.decline is not None and card.decline.reason != "insufficient_funds"

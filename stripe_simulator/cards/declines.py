"""Why a bank refuses a card, in Stripe's words. Source: docs.stripe.com/testing, /declines/codes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Decline:
    code: str
    """The error code."""
    reason: str | None
    """The decline code, where the bank gave one."""
    message: str
    advice: str | None = "try_again_later"
    network_code: str | None = "01"
    blocked: bool = False
    """Refused by Radar before it reached the bank."""


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
INSUFFICIENT_FUNDS = Decline(
    "card_declined", "insufficient_funds", "Your card has insufficient funds.", network_code="51"
)
LOST = Decline("card_declined", "lost_card", "Your card was declined.", "do_not_try_again", "41")
STOLEN = Decline("card_declined", "stolen_card", "Your card was declined.", "do_not_try_again", "43")
FRAUDULENT = Decline("card_declined", "fraudulent", "Your card was declined.", None, None, blocked=True)
VELOCITY = Decline(
    "card_declined",
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    network_code="65",
)
EXPIRED = Decline("expired_card", "expired_card", "Your card has expired.", "do_not_try_again", "54")
INCORRECT_CVC = Decline(
    "incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.", "confirm_card_data", "N7"
)
PROCESSING_ERROR = Decline(
    "processing_error",
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
    network_code="96",
)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
    network_code="1A",
)

"""What an account was told about prices that are still to come."""

from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.models import PriceNotice


def standing(account: BillingAccount) -> PriceNotice | None:
    """The notice of the next announced version that is not in force yet, None where there is none."""
    coming = PriceNotice.objects.filter(
        account=account,
        announcement__ended_at=None,
        announcement__book__status="published",
        announcement__book__effective_at__gt=now(),
    )
    return coming.select_related("announcement__book").order_by("announcement__book__effective_at").first()

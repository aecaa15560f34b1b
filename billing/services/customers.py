"""An account's customer at Stripe: made when first needed, one per account, made anew when deleted there."""

from accounts.models import BillingAccount
from billing.gateways import gateway


def ensure(account: BillingAccount) -> str:
    """The account's customer id, created at the first need. Raises GatewayError; calls Stripe."""
    if account.stripe_customer_id:
        return account.stripe_customer_id
    return _create(account, instead_of=None)


def replace(account: BillingAccount, gone: str) -> str:
    """A new customer in the place of one deleted at Stripe; the old payments keep the old id."""
    account.refresh_from_db(fields=["stripe_customer_id"])
    if account.stripe_customer_id and account.stripe_customer_id != gone:
        return account.stripe_customer_id
    return _create(account, instead_of=gone)


def _create(account: BillingAccount, instead_of: str | None) -> str:
    """The key names the customer that is replaced, so that asking twice at once makes one customer."""
    created = gateway().create_customer(
        key=f"customer:{account.public_id}:{instead_of or 'first'}",
        account=account.public_id,
        email=account.email,
        name=account.name,
    )
    BillingAccount.objects.filter(pk=account.pk, stripe_customer_id=instead_of).update(
        stripe_customer_id=created
    )
    account.refresh_from_db(fields=["stripe_customer_id"])
    return account.stripe_customer_id or created

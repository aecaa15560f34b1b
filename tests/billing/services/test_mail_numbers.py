"""Mail writes numbers as its reader's pages do, in both of its versions."""

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives

from accounts.models import BillingAccount, Membership, User
from billing import emails


def receive(account: BillingAccount, to: str) -> str:
    """A notice of a low balance, as it arrives there."""
    facts = {"unit": "USD", "balance": "1234.5", "mark": "2000", "limit": "0", "spent": "0"}
    emails.send("balance_low", {"account": str(account.pk), "to": to, "facts": facts})
    sent = mail.outbox[-1]
    assert isinstance(sent, EmailMultiAlternatives)
    page = str(sent.alternatives[0][0])
    for text in ("1.234,50", "1,234.50"):
        assert (text in sent.body) == (text in page)
    return str(sent.body).replace("\xa0", " ")


def member(account: BillingAccount, email: str, locale: str) -> None:
    user = User.objects.create_user(email, "long-enough-password", locale=locale)
    Membership.objects.create(account=account, user=user, role="owner")


@pytest.mark.parametrize(
    ("locale", "text"), [("de", "1.234,50 $"), ("en", "$1,234.50"), ("fr", "1 234,50 $")]
)
def test_a_member_reads_their_own_format(account: BillingAccount, locale: str, text: str) -> None:
    member(account, "ada@example.com", locale)
    assert text in receive(account, "Ada@example.com")


def test_an_address_of_the_company_gets_its_owners_format(account: BillingAccount) -> None:
    assert "$1,234.50" in receive(account, account.email)
    member(account, "ada@example.com", "de")
    assert "1.234,50 $" in receive(account, account.email)

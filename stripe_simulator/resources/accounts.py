"""The company's own Stripe account. Connect is not simulated: no other account exists."""

from stripe_simulator.router import route
from stripe_simulator.values import ACCOUNT_ID, Json
from stripe_simulator.wire.errors import StripeError
from stripe_simulator.wire.paging import listing
from stripe_simulator.world import Call

_OPENED = 1_767_225_600  # 2026-01-01, any moment before everything else


def build() -> Json:
    return {
        "id": ACCOUNT_ID,
        "object": "account",
        "business_profile": _business_profile(),
        "business_type": None,
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "controller": {"type": "account"},
        "country": "US",
        "created": _OPENED,
        "default_currency": "usd",
        "details_submitted": True,
        "email": "owner@example.com",
        "external_accounts": listing([], f"/v1/accounts/{ACCOUNT_ID}/external_accounts"),
        "future_requirements": _requirements(),
        "metadata": {},
        "payouts_enabled": True,
        "requirements": _requirements(),
        "settings": _settings(),
        "tos_acceptance": {"date": _OPENED, "ip": None, "user_agent": None},
        "type": "standard",
    }


def _business_profile() -> Json:
    names = (
        "annual_revenue", "estimated_worker_count", "minority_owned_business_designation",
        "product_description", "support_address", "support_email", "support_phone", "support_url", "url",
    )  # fmt: skip
    return {**dict.fromkeys(names), "mcc": "5734", "name": "Simulated Stripe account"}


def _requirements() -> Json:
    lists = ("alternatives", "currently_due", "errors", "eventually_due", "past_due", "pending_verification")
    return {**{name: [] for name in lists}, "current_deadline": None, "disabled_reason": None}


def _settings() -> Json:
    statement = ("statement_descriptor", "statement_descriptor_kana", "statement_descriptor_kanji")
    prefixes = [f"statement_descriptor_prefix{script}" for script in ("", "_kana", "_kanji")]
    declines = {"avs_failure": False, "cvc_failure": False}
    return {
        "bacs_debit_payments": {"display_name": None, "service_user_number": None},
        "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
        "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
        "card_payments": {"decline_on": declines, **dict.fromkeys(prefixes)},
        "dashboard": {"display_name": "Simulated Stripe account", "timezone": "Etc/UTC"},
        "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": "offer"},
        "payments": dict.fromkeys(statement),
        "payouts": {
            "debit_negative_balances": True,
            "schedule": {"delay_days": 2, "interval": "daily"},
            "statement_descriptor": None,
        },
        "sepa_debit_payments": {},
    }


@route("GET", "/v1/account", "AccountRetrieveCurrentParams")
def current(call: Call) -> Json:
    return build()


@route("GET", "/v1/accounts", "AccountListParams")
def index(call: Call) -> Json:
    """Connected accounts: none."""
    return listing([], "/v1/accounts")


@route("GET", "/v1/accounts/{account}", "AccountRetrieveParams")
def retrieve(call: Call) -> Json:
    if call.path["account"] != ACCOUNT_ID:
        raise StripeError(
            f"The provided key does not have access to account '{call.path['account']}' (or that account "
            "does not exist). Application access may have been revoked.",
            status=403,
            code="account_invalid",
        )
    return build()

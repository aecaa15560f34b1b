"""How the admin presents itself: its name, its colour, and what staff find where."""

from typing import Any

from django.urls import reverse_lazy
from django.utils.module_loading import import_string


def _page(title: str, icon: str, name: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{name}_changelist")}


def _pending_adjustments() -> str:
    """The badge beside "Adjustments". Named as text it would show its own name where there is nothing to count."""
    return str(import_string("billing.admin.adjustments.pending_badge")())


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Billing administration",
    "SITE_HEADER": "Atelier Billing",
    "SITE_SUBHEADER": "Administration",
    "SITE_SYMBOL": "account_balance_wallet",
    "SITE_URL": "/",
    "SHOW_HISTORY": True,
    "DASHBOARD_CALLBACK": "config.dashboard.show",
    "BORDER_RADIUS": "8px",
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 280)",
            "100": "oklch(94% .03 280)",
            "200": "oklch(88% .06 280)",
            "300": "oklch(80% .1 280)",
            "400": "oklch(68% .15 279)",
            "500": "oklch(57% .18 278)",
            "600": "oklch(50% .19 277)",
            "700": "oklch(44% .18 277)",
            "800": "oklch(38% .15 277)",
            "900": "oklch(32% .12 277)",
            "950": "oklch(24% .09 277)",
        }
    },
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": True,
        "navigation": [
            {
                "title": "Customers",
                "items": [
                    _page("Billing accounts", "domain", "accounts_billingaccount"),
                    _page("Users", "person", "accounts_user"),
                    _page("API keys", "key", "accounts_apikey"),
                    _page("Invitations", "mail", "accounts_invitation"),
                    _page("Erasures", "person_off", "billing_erasure"),
                ],
            },
            {
                "title": "Ledger",
                "items": [
                    _page("Balances", "account_balance", "ledger_balance"),
                    _page("Transactions", "receipt_long", "ledger_transaction"),
                    _page("Charges", "image", "ledger_charge"),
                    _page("Grants", "redeem", "ledger_grant"),
                    {
                        **_page("Adjustments", "balance", "billing_adjustmentrequest"),
                        "badge": _pending_adjustments,
                        "badge_variant": "warning",
                    },
                    _page("Looks at the books", "fact_check", "billing_reconciliationrun"),
                    _page("Statements", "verified", "billing_statement"),
                ],
            },
            {
                "title": "Plans and credit",
                "items": [
                    _page("Subscriptions", "event_repeat", "billing_subscription"),
                    _page("Invoices", "request_quote", "billing_invoice"),
                    _page("Credit limits", "credit_score", "billing_creditlimitdecision"),
                    _page("Changes of mode", "swap_horiz", "billing_modechange"),
                ],
            },
            {
                "title": "Limits and notices",
                "items": [
                    _page("Spending limits", "speed", "billing_spendinglimit"),
                    _page("Key limits", "key_vertical", "ledger_keylimit"),
                    _page("Notices", "notifications", "billing_notice"),
                ],
            },
            {
                "title": "Payments",
                "items": [
                    _page("Payments", "payments", "billing_payment"),
                    _page("Refund requests", "reply", "billing_refundrequest"),
                    _page("Refunds and disputes", "undo", "billing_reversal"),
                    _page("Auto-recharge", "autorenew", "billing_autorecharge"),
                    _page("Cards", "credit_card", "billing_paymentmethod"),
                    _page("Webhook inbox", "inbox", "billing_webhookinbox"),
                    _page("Outbox", "outbox", "billing_outboxmessage"),
                ],
            },
            {
                "title": "Catalog",
                "items": [
                    _page("Profiles", "tune", "catalog_profile"),
                    _page("Plans", "workspaces", "catalog_plan"),
                    _page("Models", "smart_toy", "catalog_aimodel"),
                    _page("Price books", "menu_book", "catalog_pricebook"),
                    _page("Price notices", "campaign", "billing_pricenotice"),
                    _page("Estimate accuracy", "target", "billing_estimateaccuracy"),
                    _page("Offers", "percent", "billing_offer"),
                    _page("Price locks", "lock_clock", "billing_pricelock"),
                ],
            },
        ],
    },
}

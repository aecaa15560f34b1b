"""Pure: the Checkout session object."""

from stripe_simulator.values import Json, new_id
from stripe_simulator.wire.merging import new_metadata

_TEXTS = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")


def build(
    params: Json, *, email: str | None, currency: str | None, totals: Json, now: int, base_url: str
) -> Json:
    """`email` is what is known of the customer so far."""
    session_id = new_id("cs")
    mode = params["mode"]
    paying = mode == "payment"
    hosted = (params.get("ui_mode") or "hosted_page") == "hosted_page"
    return {
        "id": session_id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False} if paying else None,
        "after_expiration": None,
        "allow_promotion_codes": params.get("allow_promotion_codes"),
        **totals,
        "automatic_tax": _automatic_tax(params),
        "billing_address_collection": params.get("billing_address_collection"),
        "branding_settings": _branding(),
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": now,
        "currency": currency,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {name: (params.get("custom_text") or {}).get(name) or None for name in _TEXTS},
        "customer": params.get("customer"),
        "customer_account": None,
        "customer_creation": None
        if params.get("customer")
        else params.get("customer_creation") or "if_required",
        "customer_details": details(email) if email or params.get("customer") else None,
        "customer_email": params.get("customer_email"),
        "discounts": [] if paying else None,
        "expires_at": params.get("expires_at") or now + 86_400,
        "integration_identifier": None,
        "invoice": None,
        "invoice_creation": _invoice_creation(params) if paying else None,
        "livemode": False,
        "locale": params.get("locale"),
        "metadata": new_metadata(params),
        "mode": mode,
        "origin_context": params.get("origin_context"),
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": params.get("payment_method_collection")
        or ("if_required" if paying else "always"),
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": _three_d_secure(params)}},
        "payment_method_types": params.get("payment_method_types") or ["card"],
        "payment_status": "unpaid" if paying else "no_payment_required",
        "permissions": None,
        "phone_number_collection": {
            "enabled": bool((params.get("phone_number_collection") or {}).get("enabled"))
        },
        "recovered_from": None,
        "saved_payment_method_options": _saved_methods(params) if paying and params.get("customer") else None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": params.get("submit_type"),
        "subscription": None,
        "success_url": params.get("success_url"),
        "ui_mode": params.get("ui_mode") or "hosted_page",
        "url": f"{base_url}/c/pay/{session_id}" if hosted else None,
        "wallet_options": None,
    }


def details(email: str | None) -> Json:
    """What is known about the customer before the page is submitted."""
    return {
        "address": None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": None,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": None,
    }


def _automatic_tax(params: Json) -> Json:
    enabled = bool((params.get("automatic_tax") or {}).get("enabled"))
    return {
        "enabled": enabled,
        "liability": {"type": "self"} if enabled else None,
        "provider": "stripe" if enabled else None,
        "status": "requires_location_inputs" if enabled else None,
    }


def _branding() -> Json:
    return {
        "background_color": "#ffffff",
        "border_style": "rounded",
        "button_color": "#1c1b22",
        "display_name": "Simulated Stripe",
        "font_family": "default",
        "icon": None,
        "logo": None,
    }


def _invoice_creation(params: Json) -> Json:
    names = ("account_tax_ids", "custom_fields", "description", "footer", "issuer", "rendering_options")
    return {
        "enabled": bool((params.get("invoice_creation") or {}).get("enabled")),
        "invoice_data": {**dict.fromkeys(names), "metadata": {}},
    }


def _three_d_secure(params: Json) -> str:
    card = (params.get("payment_method_options") or {}).get("card") or {}
    return card.get("request_three_d_secure") or "automatic"


def _saved_methods(params: Json) -> Json:
    given = params.get("saved_payment_method_options") or {}
    return {
        "allow_redisplay_filters": given.get("allow_redisplay_filters") or ["always"],
        "payment_method_remove": given.get("payment_method_remove") or "disabled",
        "payment_method_save": given.get("payment_method_save"),
    }

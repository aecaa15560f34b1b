"""Addresses of the pages."""

from django.urls import path

from billing.views import (
    auto_recharge,
    closing,
    credits,
    grants,
    invoices,
    keys,
    limits,
    plan_changes,
    statements,
    transactions,
)
from billing.views.estimator import estimator
from billing.views.metrics import metrics
from billing.views.overview import overview, overview_balance
from billing.views.plan import plan
from billing.views.pricing import pricing
from billing.views.theme import set_theme
from billing.views.usage import usage, usage_csv

urlpatterns = [
    path("", overview, name="overview"),
    path("balance", overview_balance, name="overview_balance"),
    path("keys", keys.api_keys, name="api_keys"),
    path("keys/new", keys.create, name="api_key_create"),
    path("keys/<str:key_id>/rename", keys.rename, name="api_key_rename"),
    path("keys/<str:key_id>/limit", keys.limit, name="api_key_limit"),
    path("keys/<str:key_id>/rotate", keys.rotate, name="api_key_rotate"),
    path("keys/<str:key_id>/revoke", keys.revoke, name="api_key_revoke"),
    path("credits", grants.grants, name="overview_credits"),
    path("credits/add", credits.add_credits, name="add_credits"),
    path("credits/quote", credits.credits_quote, name="credits_quote"),
    path("credits/return", credits.topup_return, name="topup_return"),
    path("credits/return/status", credits.topup_status, name="topup_status"),
    path("transactions", transactions.transactions, name="transactions"),
    path("transactions.csv", transactions.transactions_csv, name="transactions_csv"),
    path("transactions.xlsx", transactions.transactions_xlsx, name="transactions_xlsx"),
    path("transactions/<str:transaction_id>", transactions.story, name="transactions_story"),
    path("transactions/<str:transaction_id>/refund", transactions.ask_refund, name="transactions_refund"),
    path("auto-recharge", auto_recharge.auto_recharge, name="auto_recharge"),
    path("auto-recharge/sentence", auto_recharge.recharge_sentence, name="recharge_sentence"),
    path("limits", limits.limits, name="limits"),
    path("limits/recipients", limits.limits_readers, name="limits_readers"),
    path("limits/low-balance", limits.limits_low_balance, name="limits_low_balance"),
    path("limits/preview", limits.limits_preview, name="limits_preview"),
    path("cards/add", auto_recharge.add_card, name="add_card"),
    path("cards/saved", auto_recharge.card_saved, name="card_saved"),
    path("cards/<str:card_id>", auto_recharge.change_card, name="change_card"),
    path("pricing", pricing, name="pricing"),
    path("pricing/estimate", estimator, name="pricing_estimate"),
    path("plan", plan, name="plan"),
    path("plan/take/<slug:plan>", plan_changes.take, name="plan_take"),
    path("plan/cancel", plan_changes.cancel, name="plan_cancel"),
    path("plan/undo", plan_changes.undo, name="plan_undo"),
    path("plan/pay/<slug:mode>", plan_changes.pay_by, name="plan_pay"),
    path("invoices", invoices.invoices, name="invoices"),
    path("invoices/<str:invoice_id>", invoices.invoice, name="invoices_one"),
    path("invoices/<str:invoice_id>/pdf", invoices.invoice_pdf_file, name="invoices_pdf"),
    path("usage", usage, name="usage_page"),
    path("usage.csv", usage_csv, name="usage_page_csv"),
    path("statements", statements.statements, name="statements"),
    path("statements/<str:month>.csv", statements.statement_csv_file, name="statements_csv"),
    path("statements/<str:month>.pdf", statements.statement_pdf_file, name="statements_pdf"),
    path("balance/changes", statements.balance_changes, name="transactions_changes"),
    path(".well-known/statement-keys.json", statements.statement_keys, name="statement_keys"),
    path("settings/close", closing.close_account, name="settings_close"),
    path("metrics", metrics, name="metrics"),
    path("theme", set_theme, name="set_theme"),
]

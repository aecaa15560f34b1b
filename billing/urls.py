"""Addresses of the pages."""

from django.urls import path

from billing.views.overview import overview, overview_balance
from billing.views import keys
from billing.views.theme import set_theme

urlpatterns = [
    path("", overview, name="overview"),
    path("balance", overview_balance, name="overview_balance"),
    path("keys", keys.api_keys, name="api_keys"),
    path("keys/new", keys.create, name="api_key_create"),
    path("keys/<str:key_id>/rename", keys.rename, name="api_key_rename"),
    path("keys/<str:key_id>/rotate", keys.rotate, name="api_key_rotate"),
    path("keys/<str:key_id>/revoke", keys.revoke, name="api_key_revoke"),
    path("theme", set_theme, name="set_theme"),
]

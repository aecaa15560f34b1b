"""Addresses of the pages."""

from django.urls import path

from billing.views.theme import set_theme

urlpatterns = [
    path("theme", set_theme, name="set_theme"),
]

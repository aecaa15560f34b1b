"""Stripe's way in, at dj-stripe's own address; it has to be included before dj-stripe's urls."""

from django.urls import path

from billing.webhooks.guard import receive

urlpatterns = [path("webhook/<uuid:uuid>/", receive, name="stripe_webhook")]

"""Every address of the portal."""

from django.contrib import admin
from django.urls import include, path

from config import health

urlpatterns = [
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("accounts.urls")),
    path("", include("catalog.urls")),
    path("", include("billing.urls")),
    path("", include("billing.api.urls")),
    path("stripe/", include("billing.webhooks.urls")),
    path("stripe/", include("djstripe.urls", namespace="djstripe")),
]

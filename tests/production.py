"""What production has to be told before it starts."""

PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "SECRET_KEY": "s" * 60,
    "PORTAL_BASE_URL": "https://billing.example.com",
    "ALLOWED_HOSTS": "billing.example.com",
    "STRIPE_SECRET_KEY": "sk_test_" + "4" * 24,
    "STRIPE_API_HOST": "",
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
    "EMAIL_URL": "consolemail://",
    "STATEMENT_SIGNING_KEY": "dGVzdHMtb25seS1zdGF0ZW1lbnQtc2lnbmluZy1rZXk=",
}

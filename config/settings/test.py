"""The test-suite: real PostgreSQL, real HTTP to the Stripe simulator, mail kept in memory."""

from .base import *  # noqa: F403

SECRET_KEY = "tests-only-secret-key"  # noqa: S105
STATEMENT_SIGNING_KEY = "dGVzdHMtb25seS1zdGF0ZW1lbnQtc2lnbmluZy1rZXk="
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {"max_retries": 1, "interval_start": 0}
# Static files are looked for when they are asked for: each test's client would otherwise list all of them first.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STRIPE_SECRET_KEY = STRIPE_SECRET_KEY or "sk_test_" + "4" * 24  # noqa: F405
STRIPE_TEST_SECRET_KEY = STRIPE_SECRET_KEY
# Each look at the catalog asks whether it changed: a test that publishes sees its own prices at once.
CATALOG_POLL_SECONDS = 0

"""The real thing, behind a proxy that speaks TLS. What must be set and is not is said in one sentence."""

from base64 import b64decode

from django.core.exceptions import ImproperlyConfigured

from config import logs

from .base import *  # noqa: F403
from .base import (
    DATA_DIR,
    PORTAL_BASE_URL,
    SECRET_KEY,
    STATEMENT_SIGNING_KEY,
    STRIPE_SECRET_KEY,
    STRIPE_WEBHOOK_ENDPOINT,
    STRIPE_WEBHOOK_SECRET,
    env,
)

_REQUIRED = {
    "SECRET_KEY": "a long random text that signs sessions and links",
    "DATABASE_URL": "the address of PostgreSQL 15 or newer, such as postgres://portal:…@db/portal",
    "PORTAL_BASE_URL": "the address customers use, such as https://billing.example.com",
    "ALLOWED_HOSTS": "the host names the portal answers to, separated by commas",
    "STRIPE_SECRET_KEY": "the secret key of the Stripe account",
    "CELERY_BROKER_URL": "the address of Valkey or Redis, such as redis://broker:6379/0",
    "STATEMENT_SIGNING_KEY": "the base64 text of 32 random bytes that sign statements (openssl rand -base64 32)",
    "EMAIL_URL": "the mail server, such as smtp+tls://user:password@mail:587",
}
for _name, _what in _REQUIRED.items():
    if not env.str(_name, default=""):
        raise ImproperlyConfigured(f"Set {_name}: {_what}. docs/operations.md lists all settings.")
if len(SECRET_KEY) < 50:
    raise ImproperlyConfigured("SECRET_KEY is shorter than 50 characters: choose a long random text.")
if env.str("STRIPE_API_HOST", default=""):
    raise ImproperlyConfigured(
        "STRIPE_API_HOST is set: production talks to Stripe itself, never to the simulator."
    )
if not PORTAL_BASE_URL.startswith("https://"):
    raise ImproperlyConfigured("PORTAL_BASE_URL must begin with https:// in production.")
if not STRIPE_SECRET_KEY.startswith(("sk_", "rk_")):
    raise ImproperlyConfigured("STRIPE_SECRET_KEY is not a secret key of Stripe (sk_… or rk_…).")
try:
    _key_bytes = len(b64decode(STATEMENT_SIGNING_KEY, validate=True))
except ValueError:
    _key_bytes = 0
if _key_bytes != 32:
    raise ImproperlyConfigured(
        "STATEMENT_SIGNING_KEY is not the base64 text of 32 random bytes (openssl rand -base64 32)."
    )
if STRIPE_WEBHOOK_ENDPOINT and not STRIPE_WEBHOOK_SECRET:
    raise ImproperlyConfigured(
        "Set STRIPE_WEBHOOK_SECRET: the signing secret of the endpoint that STRIPE_WEBHOOK_ENDPOINT names."
    )

DEBUG = False
CSRF_TRUSTED_ORIGINS = [PORTAL_BASE_URL]
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-session"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrf"
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https"
PORTAL_STAFF_MFA_REQUIRED = env.bool("PORTAL_STAFF_MFA_REQUIRED", default=True)
# A proxy on the same machine that adds no header would look like this machine itself.
METRICS_TOKEN_REQUIRED = True

STATIC_ROOT = env.path("STATIC_ROOT", default=str(DATA_DIR / "static"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LOGGING = logs.as_json()
LOG_MONEY_CALLS = env.bool("PORTAL_LOG_MONEY_CALLS", default=True)

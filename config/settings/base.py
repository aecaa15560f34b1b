"""Settings that hold everywhere. What differs by place is in local, production and test.

Everything an operator sets comes from the environment; docs/operations.md lists the variables.
"""

from email.utils import parseaddr
from pathlib import Path

import environ
from csp.constants import NONCE, NONE, SELF
from django.urls import reverse_lazy

from config import broker
from config.settings.admin import UNFOLD as UNFOLD

BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = environ.Env()

DATA_DIR = Path(env.str("PORTAL_DATA_DIR", default=str(BASE_DIR / ".local" / "data")))
SECRET_KEY = env.str("SECRET_KEY", default="")
DEBUG = False
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=[])
PORTAL_BASE_URL = env.str("PORTAL_BASE_URL", default="http://127.0.0.1:8000")
STUDIO_URL = env.str("STUDIO_URL", default="")
BRAND_NAME = env.str("BRAND_NAME", default="Atelier")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "csp",
    "django_cotton.apps.SimpleAppConfig",
    "django_htmx",
    "django_prometheus",
    "heroicons",
    "pghistory",
    "pgtrigger",
    "template_partials.apps.SimpleAppConfig",
    "config",
    "accounts",
    "catalog",
    "djstripe",
    "billing.ledger",
    "billing",
]

MIDDLEWARE = [
    "config.requests.RequestId",
    "billing.api.middleware.NoCookies",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "billing.context.ViewerMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "accounts.middleware.NoStoreMiddleware",
    "accounts.middleware.StaffMfaMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "django.template.loaders.cached.Loader",
                            [
                                "django_cotton.cotton_loader.Loader",
                                "django.template.loaders.filesystem.Loader",
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
            "builtins": [
                "django_cotton.templatetags.cotton",
                "template_partials.templatetags.partials",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context.navigation",
                "billing.context.page_frame",
            ],
        },
    }
]

DATABASES = {"default": env.db("DATABASE_URL", default="postgres://portal@/portal")}
DATABASES["default"]["ENGINE"] = "django.db.backends.postgresql"
# Each request has a thread of its own under ASGI: a connection kept for later would only wait for the garbage collector.
DATABASES["default"]["CONN_MAX_AGE"] = 0
DATABASES["default"]["TEST"] = {"TEMPLATE": env.str("PORTAL_TEMPLATE_DB", default="template0")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ATOMIC_REQUESTS = False

AUTH_USER_MODEL = "accounts.User"
# The e-mail address is unique by a constraint on Lower(email), which this check does not see.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]
# allauth's backend alone: it is Django's ModelBackend with e-mail as the login, and hashes a password once.
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_SIGNUP_FORM_CLASS = "accounts.forms.SignupForm"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN_URL
ACCOUNT_RATE_LIMITS = {"invite": "20/h/user"}
# How many proxies in front of the portal add to X-Forwarded-For; with 0 the header is not believed.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("PORTAL_TRUSTED_PROXIES", default=0)
MFA_ADAPTER = "accounts.adapter.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = BRAND_NAME
MFA_TOTP_TOLERANCE = 1  # a phone's clock may be half a minute off
PORTAL_STAFF_MFA_REQUIRED = env.bool("PORTAL_STAFF_MFA_REQUIRED", default=False)

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]

# A form that pays is redirected to the payment page; form-action covers redirects too.
STRIPE_PAGES = env.str("STRIPE_API_HOST", default="") or "https://*.stripe.com"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF, STRIPE_PAGES],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    },
    "EXCLUDE_URL_PREFIXES": ("/admin/",),
}

STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_PUBLISHABLE_KEY = env.str("STRIPE_PUBLISHABLE_KEY", default="")
if STRIPE_API_HOST_FROM_ENV := env.str("STRIPE_API_HOST", default=""):
    STRIPE_API_HOST = STRIPE_API_HOST_FROM_ENV
# Another host than Stripe's own is the simulator; every page says so.
STRIPE_SIMULATED = bool(STRIPE_API_HOST_FROM_ENV)
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", default="")
STRIPE_API_VERSION = "2026-08-26.dahlia"
STRIPE_LIVE_MODE = STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))
STRIPE_TEST_SECRET_KEY = "" if STRIPE_LIVE_MODE else STRIPE_SECRET_KEY
STRIPE_LIVE_SECRET_KEY = STRIPE_SECRET_KEY if STRIPE_LIVE_MODE else ""
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
DJSTRIPE_SUBSCRIBER_MODEL = "accounts.BillingAccount"
# Nobody who can edit a customer's metadata at Stripe may attach it to another account here.
DJSTRIPE_SUBSCRIBER_CUSTOMER_KEY = None
STRIPE_ANSWER_SECONDS = env.int("STRIPE_ANSWER_SECONDS", default=15)

STRIPE_WEBHOOK_ENDPOINT = env.str("STRIPE_WEBHOOK_ENDPOINT", default="")  # the uuid in our webhook's address

# What signs monthly statements: the base64 text of 32 random bytes. Another one starts a new key, the old ones stay listed.
STATEMENT_SIGNING_KEY = env.str("STATEMENT_SIGNING_KEY", default="")
# Who may read /metrics: whoever brings this token; without one, this machine, but in production nobody.
METRICS_TOKEN = env.str("PORTAL_METRICS_TOKEN", default="")
METRICS_TOKEN_REQUIRED = False

# One JSON line on standard error for each call that may move money; production turns it on.
LOG_MONEY_CALLS = env.bool("PORTAL_LOG_MONEY_CALLS", default=False)

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") or broker.URL
# A task for a broker that is down is given up soon, not tried a hundred times: the sweeps do the work.
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
}
if CELERY_BROKER_URL == broker.URL:
    CELERY_BROKER_TRANSPORT_OPTIONS |= broker.transport_options(DATABASES["default"])
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
# A task that was being worked on when its worker died is given to the next one: all of them may be repeated.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 8
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"

vars().update(env.email("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Billing <billing@localhost>")
SUPPORT_EMAIL = env.str("SUPPORT_EMAIL", default="") or parseaddr(DEFAULT_FROM_EMAIL)[1]

# How many days before credits expire their owners hear of it; empty: never.
EXPIRY_NOTICE_DAYS = env.list("EXPIRY_NOTICE_DAYS", cast=int, default=[30, 7, 1])

# Requests a caller may burst, and how many a second flow back; each web process counts for itself.
API_RATES = {"customer": (120_000, 2_000), "service": (600_000, 10_000), "anonymous": (1_200, 20)}

"""One machine, for trying the product and developing it: simulated payments, mail into files."""

import os

from .base import *  # noqa: F403

SECRET_KEY = SECRET_KEY or "local-only-secret-key-never-used-in-production"  # noqa: F405
STATEMENT_SIGNING_KEY = STATEMENT_SIGNING_KEY or "bG9jYWwtb25seS1zdGF0ZW1lbnQtc2lnbmluZy1rZXk="  # noqa: F405
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", *ALLOWED_HOSTS]  # noqa: F405

# The simulator is meant to be there.
SILENCED_SYSTEM_CHECKS = [*SILENCED_SYSTEM_CHECKS, "djstripe.W002"]  # noqa: F405
WHITENOISE_USE_FINDERS = True
# Files may change under the running server while they are worked on.
WHITENOISE_AUTOREFRESH = True
CSRF_TRUSTED_ORIGINS = [PORTAL_BASE_URL]  # noqa: F405
if "EMAIL_URL" not in os.environ:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = DATA_DIR / "mail"  # noqa: F405

"""One machine, for trying the product and developing it: simulated payments, mail into files."""

from .base import *  # noqa: F403

SECRET_KEY = SECRET_KEY or "local-only-secret-key-never-used-in-production"  # noqa: F405
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", *ALLOWED_HOSTS]  # noqa: F405

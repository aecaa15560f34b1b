"""The web server's entry: the lane for hot API requests, Django for everything else."""

import os
from typing import cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

from django.core.asgi import get_asgi_application

django = get_asgi_application()

from django.db import connection  # noqa: E402 - Django has to be set up first
from psycopg.conninfo import make_conninfo  # noqa: E402

from billing.api.lane import Lane  # noqa: E402
from billing.api.wire import App  # noqa: E402


def _dsn() -> str:
    """The database of Django's settings as a libpq connection string."""
    options = connection.get_connection_params()
    known = ("dbname", "user", "password", "host", "port", "sslmode", "sslrootcert", "options")
    return make_conninfo(**{name: options[name] for name in known if options.get(name)})


application = Lane(cast(App, django), _dsn())

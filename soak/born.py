"""Imported by the nursery's server, once: everything that the processes it forks will need."""

import django

from soak.nursery import grown

django.setup()

from django.urls import get_resolver  # noqa: E402 - only once Django is set up

from soak import figures  # noqa: E402

get_resolver().url_patterns  # noqa: B018 - loads the views
grown()

__all__ = ["figures"]

"""Addresses of the API: what ninja routes, the document and its page, and an answer for everything else."""

from collections.abc import Iterator

from django.urls import URLPattern, path, re_path

from billing.api.app import api
from billing.api.document import docs, known_query, no_query, openapi
from billing.api.http import enclosed, nowhere


def _routes() -> Iterator[URLPattern]:
    """Ninja's routes in our frame, without its root page, which would lie on the portal's own.

    They keep no names: a page of the same name would be linked to the API's address.
    """
    for pattern in api.urls[0]:
        if isinstance(pattern, URLPattern) and pattern.name != "api-root":
            pattern.callback, pattern.name = enclosed(pattern.callback, known_query), None
            yield pattern


urlpatterns = [
    path("v1/openapi.json", enclosed(openapi, no_query), name="openapi"),
    path("v1/docs", enclosed(docs, no_query), name="api_docs"),
    *_routes(),
    re_path(r"^(?:v1|api)(?:/.*)?$", enclosed(nowhere, known_query)),
]

"""The format of profile files, for editors and for whoever writes one."""

from django.http import FileResponse, HttpRequest
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from catalog.loader import SCHEMA


@require_safe
@cache_control(public=True, max_age=3600)
def profile_schema(request: HttpRequest) -> FileResponse:
    """The JSON Schema of profile files, for everybody."""
    response = FileResponse(SCHEMA.open("rb"), content_type="application/schema+json")
    response["Access-Control-Allow-Origin"] = "*"
    return response

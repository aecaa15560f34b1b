"""Files that are made while they are sent, for synchronous and asynchronous servers alike."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse


def csv_download(request: HttpRequest, lines: Iterator[str], filename: str) -> StreamingHttpResponse:
    """A CSV file to save, sent piece by piece."""
    body = _in_threads(lines) if isinstance(request, ASGIRequest) else lines
    response = StreamingHttpResponse(body, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response["Cache-Control"] = "no-store"
    return response


async def _in_threads(lines: Iterator[str]) -> AsyncIterator[str]:
    """The pieces for an asynchronous server, each fetched off its event loop."""
    fetch = sync_to_async(lambda: next(lines, None))
    while (line := await fetch()) is not None:
        yield line


def pdf_download(content: bytes, filename: str) -> HttpResponse:
    """A PDF file to save."""
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response["Cache-Control"] = "no-store"
    return response

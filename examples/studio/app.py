"""The studio as an ASGI application: routes, keys, errors. A request that ends does not end accepted work."""

import asyncio
import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from examples.studio import ads, answers, images, processing
from examples.studio.acceptance import Acceptance
from examples.studio.billing import Billing
from examples.studio.index import PAGE, PAGE_POLICY
from examples.studio.jobs import FINAL, Job, Order
from examples.studio.problems import Refused, not_found, unauthorized
from examples.studio.runner import Runner, now_ms
from examples.studio.store import Store
from examples.studio.web import (
    Message,
    Receive,
    Request,
    Response,
    Route,
    Scope,
    Send,
    json_response,
    problem_response,
    read_request,
    send_response,
)

log = logging.getLogger("studio")

_LARGEST_BODY = 18 * 1024 * 1024
_LARGEST_TEXT_BODY = 64 * 1024
_LONGEST_WAIT_SECONDS = 25.0
_CALL_THREADS = 16

T = TypeVar("T")


class Studio:
    """One running studio. Accepting a request runs on a thread, never on the request's own task."""

    def __init__(self, *, portal_url: str, service_key: str, data: Path) -> None:
        self._store = Store(data)
        self._billing = Billing(portal_url, service_key)
        makers = {
            "ad": ads.make,
            "image": images.make,
            "video": images.make_video,
            "process": processing.make,
        }
        self._runner = Runner(self._store, self._billing, makers)
        self._acceptance = Acceptance(self._store, self._billing, self._runner)
        self._threads = ThreadPoolExecutor(_CALL_THREADS, thread_name_prefix="studio-call")
        self._routes = [
            Route(method, re.compile(pattern, re.ASCII), handler)
            for method, pattern, handler in (
                ("GET", r"/", self._index),
                ("GET", r"/healthz", self._healthz),
                ("POST", r"/v1/ads/generate", self._generate_ad),
                ("POST", r"/v1/images/generate", self._generate_image),
                ("POST", r"/v1/images/process", self._process_image),
                ("POST", r"/v1/videos/generate", self._generate_video),
                ("GET", r"/v1/jobs/(?P<id>[^/]{1,80})", self._show_job),
                ("GET", r"/v1/results/(?P<id>[^/]{1,80})", self._show_result),
            )
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message: Message = await receive()
            if message["type"] == "lifespan.startup":
                self._runner.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(self._close)
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _close(self) -> None:
        self._threads.shutdown(wait=True)
        self._runner.stop()
        self._billing.close()
        self._store.close()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._respond(scope, receive)
        except ConnectionResetError:
            return
        except Refused as refused:
            response = problem_response(refused)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            response = problem_response(
                Refused(
                    500, "internal_error", "Something broke", "An error of the studio's own; it is logged."
                )
            )
        await send_response(send, response, head=scope["method"] == "HEAD")

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        matching = [
            (route, found) for route in self._routes if (found := route.pattern.fullmatch(scope["path"]))
        ]
        if not matching:
            raise not_found("address")
        for route, found in matching:
            if route.method == method:
                largest = _LARGEST_BODY if route.handler == self._process_image else _LARGEST_TEXT_BODY
                request = await read_request(scope, receive, largest=largest)
                return await route.handler(replace(request, found=found.groupdict()))
        allowed = ", ".join(route.method for route, _ in matching)
        refused = Refused(405, "invalid_request", "Method not allowed", f"This address takes {allowed}.")
        return replace(problem_response(refused), headers={"Allow": allowed})

    async def _index(self, request: Request) -> Response:
        return Response(200, PAGE, "text/html; charset=utf-8", {"Content-Security-Policy": PAGE_POLICY})

    async def _healthz(self, request: Request) -> Response:
        return json_response(200, {"status": "ok"})

    async def _generate_ad(self, request: Request) -> Response:
        return await self._order(request, lambda _: (ads.read(request.body), False))

    async def _generate_image(self, request: Request) -> Response:
        return await self._order(request, lambda _: images.read(request.body))

    async def _generate_video(self, request: Request) -> Response:
        return await self._order(request, lambda _: (images.read_video(request.body), False))

    async def _process_image(self, request: Request) -> Response:
        return await self._order(
            request,
            lambda account: (
                processing.read(request.body, lambda name: self._owned_content(name, account)[1]),
                True,
            ),
        )

    async def _order(self, request: Request, read: Callable[[str], tuple[Order, bool]]) -> Response:
        """Authenticate, read, then estimate (dry run) or accept; wait for the result where asked to."""
        api_key = request.bearer
        account = await self._call(lambda: self._acceptance.account(api_key))
        if api_key is None:
            raise unauthorized()
        order, wait = await self._call(lambda: read(account))
        if request.dry_run:
            return json_response(200, await self._call(lambda: self._acceptance.estimate(api_key, order)))
        key = request.headers.get("idempotency-key")
        job, replayed = await self._call(
            lambda: self._acceptance.accept(api_key, account, order, key=key, body=request.body)
        )
        if wait:
            job = await self._finished(job)
        return await self._job_response(request, job, {"Idempotent-Replayed": "true"} if replayed else {})

    async def _finished(self, job: Job) -> Job:
        """The job once it is finished, or as it stands when the longest wait is over."""
        waiting = asyncio.wrap_future(await self._call(lambda: self._runner.finished(job.id)))
        await asyncio.wait({waiting}, timeout=_LONGEST_WAIT_SECONDS)
        return await self._call(lambda: self._store.job(job.id)) or job

    async def _job_response(self, request: Request, job: Job, headers: dict[str, str]) -> Response:
        """200 when finished, 202 while the work runs."""
        results = await self._call(lambda: self._store.results(job.id))
        body = answers.job(job, results, _base_url(request))
        return json_response(
            200 if job.state in FINAL else 202, body, {"Location": f"/v1/jobs/{job.id}", **headers}
        )

    async def _show_job(self, request: Request) -> Response:
        account = await self._call(lambda: self._acceptance.account(request.bearer))
        job = await self._call(lambda: self._store.job(request.found["id"]))
        if job is None or job.account != account or job.charge is None:
            raise not_found("job")
        results = await self._call(lambda: self._store.results(job.id))
        return json_response(200, answers.job(job, results, _base_url(request)))

    async def _show_result(self, request: Request) -> Response:
        account = await self._call(lambda: self._acceptance.account(request.bearer))
        content_type, content = await self._call(lambda: self._owned_content(request.found["id"], account))
        return Response(200, content, content_type)

    def _owned_content(self, result_id: str, account: str) -> tuple[str, bytes]:
        """A result of this account. Raises ``Refused``: 404 for others', 410 after its hour."""
        found = self._store.result(result_id)
        if found is None or found[1] != account:
            raise not_found("result")
        content = self._store.content(found[0]) if found[0].expires_at > now_ms() else None
        if content is None:
            raise Refused(
                410,
                "expired",
                "The result is gone",
                "Results are kept for one hour after they are made; this one has been deleted.",
            )
        return found[0].content_type, content

    async def _call(self, work: Callable[[], T]) -> T:
        """Run on a thread. The thread goes on to its end even if this request is cancelled meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _base_url(request: Request) -> str:
    host = request.headers.get("host", "")
    return f"http://{host}" if re.fullmatch(r"[A-Za-z0-9.:\[\]-]{1,255}", host, re.ASCII) else ""

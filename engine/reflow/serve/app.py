"""The ASGI application: what is at which path, what comes before it, and errors in the vendor's form."""

from collections.abc import Awaitable, Callable
from typing import Final

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from reflow.serve import catalogs, page, timeseries
from reflow.serve.answer import JSON, Problem, not_found, of_problem
from reflow.serve.endpoint import Endpoint
from reflow.serve.explaining import Explainer
from reflow.serve.library import Library
from reflow.serve.openapi import document
from reflow.serve.respond import Responder, cache_key, plain

LONGEST_URL: Final = 10_000
"""Letters of path and query at most, as the vendor has it."""


def make_app(library: Library, explainer: Explainer, key: str | None = None) -> ASGIApp:
    """The application that serves a library; with `key`, only those who know it see figures."""
    responder = Responder(library, explainer, key)
    endpoints = (timeseries.ENDPOINT, *catalogs.ENDPOINTS, responder.explain, *catalogs.METHODOLOGIES)
    routes: list[BaseRoute] = []
    for endpoint in endpoints:
        routes.append(Route(endpoint.path, _handler(responder, endpoint)))
        if endpoint.path.startswith("/v4/"):
            routes.append(Route(f"/methodology/{{name}}{endpoint.path}", _handler(responder, endpoint)))
    told = document(endpoints, with_key=key is not None)
    for path, part in {"/openapi.json": page.Part(JSON, told), **page.parts()}.items():
        routes.append(Route(path, _fixed(part)))
    routes.append(Route(page.CHARTS, _charts()))
    app = Starlette(routes=routes, exception_handlers={HTTPException: _failed, Exception: _broken})
    app.router.redirect_slashes = False
    return _front(responder, app)


def _handler(responder: Responder, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        return await responder.answer(endpoint, request)

    return handle


def _fixed(part: page.Part) -> Callable[[Request], Awaitable[Response]]:
    async def handle(_: Request) -> Response:
        return Response(part.body, headers={"content-type": part.media, **page.HEADERS})

    return handle


def _charts() -> Callable[[Request], Awaitable[Response]]:
    """The chart library, made when it is first asked for."""
    one = CapacityLimiter(1)

    async def handle(request: Request) -> Response:
        part = await run_sync(page.charts, limiter=one)
        return await _fixed(part)(request)

    return handle


async def _failed(request: Request, error: Exception) -> Response:
    """The framework's own refusals, in the vendor's form."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return plain(of_problem(not_found(request.url.path)))
    response = plain(of_problem(Problem(error.status_code, "method_not_allowed", "Only GET is supported.")))
    response.headers.update(error.headers or {})
    return response


async def _broken(request: Request, error: Exception) -> Response:
    """A bug: the server's log has the traceback."""
    return plain(of_problem(Problem(500, "internal_server_error", "The server has a fault; see its log.")))


def _front(responder: Responder, app: ASGIApp) -> ASGIApp:
    """What comes before all else: URLs that are too long are refused, known answers sent as they are."""
    told = f"Expected at most {LONGEST_URL} letters of path and query."
    too_long = plain(of_problem(Problem(414, "uri_too_long", told)))

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        if len(scope["raw_path"]) + 1 + len(scope["query_string"]) > LONGEST_URL:
            return await too_long(scope, receive, send)
        kept = responder.kept(cache_key(scope)) if scope["method"] == "GET" else None
        if kept is None:
            return await app(scope, receive, send)
        await send({"type": "http.response.start", "status": 200, "headers": kept.headers})
        await send({"type": "http.response.body", "body": kept.body})
        return None

    return front

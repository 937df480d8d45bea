"""Run the server: one process, one event loop, until it is told to end."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httptools  # noqa: F401  # named here so that a missing part of the extra is told at once
import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from reflow.errors import ServeError
from reflow.serve.app import make_app
from reflow.serve.explaining import Explainer, Sources
from reflow.serve.library import Library

_MOST_HEADER_BYTES: Final = 64 << 10
"""Bytes of a request before its body at most; the longest URL that is answered has 10,000."""
_PATIENCE: Final = 5
"""Seconds that answers under way have to finish once the server is told to end."""


class _Protocol(HttpToolsProtocol):
    """Hangs up on a request whose head does not end, and on one that sends a body nobody asked for."""

    _received = 0

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > _MOST_HEADER_BYTES:
            self.transport.close()
        else:
            super().data_received(data)

    def on_message_complete(self) -> None:
        self._received = 0
        super().on_message_complete()


class _Server(uvicorn.Server):
    """Ends in good order on SIGINT and SIGTERM, and leaves what comes after to the caller."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop, wanted = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
        for one in wanted:
            loop.add_signal_handler(one, self.handle_exit, one, None)
        try:
            yield
        finally:
            for one in wanted:
                loop.remove_signal_handler(one)


def serve(
    folder: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    key: str | None = None,
    sources: Sources | None = None,
    vendor: Path | None = None,
    started: Callable[[str, list[str]], None] = lambda url, names: None,
) -> None:
    """Serve the recomputations in `folder` until SIGINT or SIGTERM; `port` 0 takes a free one.

    `key` must then be given as api_key by whoever wants figures. With `sources` cells can be explained, with `vendor`,
    a file of the vendor's series, those are served under the methodology `vendor`. `started` is called with the URL
    and the names of what is served, once connections are accepted.
    Raises ServeError if the address cannot be had, ResultsError if there is nothing to serve, and what reading the
    ledger, labels, prices and the vendor's file raises.
    """
    library = Library(Path(folder), vendor)
    try:
        explainer = Explainer(sources)
        explainer.check()
        app = make_app(library, explainer, key)
        with _listen(host, port) as listener:
            address, number = listener.getsockname()[:2]
            started(f"http://{f'[{address}]' if ':' in address else address}:{number}/", list(library.all()))
            config = uvicorn.Config(app, http=_Protocol, loop="uvloop", **_SETTINGS)
            uvloop.run(_Server(config).serve(sockets=[listener]))
    finally:
        library.close()


_SETTINGS: Final[dict[str, Any]] = {
    "ws": "none",
    "lifespan": "off",
    "access_log": False,  # it would have api_key in it
    "log_level": "warning",
    "proxy_headers": False,  # nobody in front of it is trusted
    "server_header": False,
    "limit_concurrency": 1000,
    "timeout_graceful_shutdown": _PATIENCE,
}


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise ServeError(f"cannot listen on {host}, port {port}: {error}") from None

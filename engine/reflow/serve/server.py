"""Run the server: one process, one event loop, until it is told to end; and what whoever connects may do to it."""

import asyncio
import contextlib
import re
import resource
import signal
import socket
from asyncio import TimerHandle
from collections.abc import Awaitable, Callable, Collection, Iterator
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar, Final

import httptools  # noqa: F401  # named here so that a missing part of the extra is told at once
import uvicorn
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from reflow.errors import ServeError
from reflow.serve.answer import Problem
from reflow.serve.app import make_app, refusal
from reflow.serve.explaining import Explainer, Sources
from reflow.serve.library import Library

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
"""Names by which a machine reaches itself only."""
ANY_HOST: Final = "*"
"""Stands for every name."""
_MOST_HEADER_BYTES: Final = 64 << 10
"""Bytes of a request before its body at most; the longest URL that is answered has 10,000."""
_REQUEST_SECONDS: Final = 10.0
"""In which a whole request must be there, from the connection or its first byte on."""
_IDLE_SECONDS: Final = 5
"""For which a connection is kept after an answer without a sign of a next request."""
_STALLED_SECONDS: Final = 30.0
"""In which whoever gets an answer must take something of it."""
_MOST_CONNECTIONS: Final = 1000
"""At the same time; requests on more are answered with 503."""
_MOST_FILES: Final = 4096
"""Open files that the process asks the system for, connections among them."""
_OTHER_FILES: Final = 128
"""Of them for results, ledger and libraries."""
_PATIENCE: Final = 5
"""Seconds that answers under way have to finish once the server is told to end."""
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,253}", re.ASCII)
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{0,5})?", re.ASCII)


class _Waiting:
    """Connections of a server with the beginning of a request or none, the one that has waited for longest first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._until: dict[_Protocol, float] = {}
        self._timer: TimerHandle | None = None

    def __contains__(self, connection: "_Protocol") -> bool:
        return connection in self._until

    def add(self, connection: "_Protocol") -> None:
        """Let a connection wait from now on; if too many do, the first one is hung up on."""
        self._until[connection] = connection.loop.time() + _REQUEST_SECONDS
        if len(self._until) > self._most:
            self._end(next(iter(self._until)))
        if self._timer is None:
            self._timer = connection.loop.call_later(_REQUEST_SECONDS, self._look, connection.loop)

    def discard(self, connection: "_Protocol") -> None:
        """It has a whole request, or is gone."""
        self._until.pop(connection, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hang up on those who have waited for too long, and look again when the next one will have."""
        self._timer = None
        for connection, until in list(self._until.items()):
            if until > loop.time():
                self._timer = loop.call_at(until, self._look, loop)
                break
            self._end(connection)

    def _end(self, connection: "_Protocol") -> None:
        del self._until[connection]
        connection.hang_up()


class _Protocol(HttpToolsProtocol):
    """Hangs up on those who keep a connection without use: requests that do not end, answers that nobody takes.

    Uvicorn has a time limit between requests only. Few connections may wait for the rest of a request; the first of
    them makes room for a new one, so those who send half a request keep nobody out.
    """

    waiting: ClassVar[_Waiting] = _Waiting(_MOST_CONNECTIONS // 2)

    _received = 0
    _unsent = 0
    _alarm: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.waiting.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.waiting.discard(self)
        self._set_alarm(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > _MOST_HEADER_BYTES:
            self.transport.close()
            return
        super().data_received(data)
        if self._received and self not in self.waiting:
            self.waiting.add(self)

    def on_message_complete(self) -> None:
        self._received = 0
        self.waiting.discard(self)
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._set_alarm(_STALLED_SECONDS)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._set_alarm(None)

    def hang_up(self) -> None:
        """End the connection; not while an answer is being made, nor while some of one is taken."""
        unsent = self.transport.get_write_buffer_size()
        is_making = not unsent and self.cycle is not None and not self.cycle.response_complete
        if is_making or (unsent and unsent != self._unsent):
            self._unsent = unsent
            self._set_alarm(_STALLED_SECONDS)
        else:
            self.transport.abort()

    def _set_alarm(self, seconds: float | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._unsent = self._unsent if seconds else 0
        self._alarm = self.loop.call_later(seconds, self.hang_up) if seconds else None


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
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    names: Collection[str] = (),
    key: str | None = None,
    sources: Sources | None = None,
    vendor: Path | None = None,
    started: Callable[[str, list[str]], None] = lambda url, names: None,
) -> None:
    """Serve the recomputations in `folder` until SIGINT or SIGTERM; `port` 0 takes a free one.

    Requests must call the server by a name of this machine for itself, by `host`, or by one of `names`, which are as
    `host_name` makes them; `*` stands for every name. `key` must be given as api_key by whoever wants figures. With
    `sources` cells can be explained, with `vendor`, a file of the vendor's series, those are served under the
    methodology `vendor`. `started` is called with the URL and the names of what is served, once connections are
    accepted.

    Raises ServeError if the address cannot be had, ResultsError if there is nothing to serve, and what reading the
    ledger, labels, prices and the vendor's file raises.
    """
    called = {*LOOPBACK, *names}
    library = Library(Path(folder), vendor)
    try:
        explainer = Explainer(sources)
        explainer.check()
        app = make_app(library, explainer, key)
        with _listen(host, port) as listener:
            address, number = listener.getsockname()[:2]
            started(f"http://{f'[{address}]' if ':' in address else address}:{number}/", list(library.all()))
            config = uvicorn.Config(
                app if ANY_HOST in called else _only_for({*called, host.lower(), address}, app),
                http=_Protocol,
                loop="uvloop",
                limit_concurrency=_most_connections(),
                **_SETTINGS,
            )
            uvloop.run(_Server(config).serve(sockets=[listener]))
    finally:
        library.close()


_SETTINGS: Final[dict[str, Any]] = {
    "interface": "asgi3",
    "ws": "none",
    "lifespan": "off",
    "access_log": False,  # it would have api_key in it
    "log_level": "warning",
    "proxy_headers": False,  # nobody in front of it is trusted
    "server_header": False,
    "timeout_keep_alive": _IDLE_SECONDS,
    "timeout_graceful_shutdown": _PATIENCE,
}


def _most_connections() -> int:
    """How many connections there may be at the same time, half of them waiting; fewer if files are few."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    files, most = (_MOST_FILES if limit == resource.RLIM_INFINITY else limit for limit in limits)
    wanted = min(_MOST_FILES, most)
    if files < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, limits[1]))
    number = max(2, min(_MOST_CONNECTIONS, max(files, wanted) - _OTHER_FILES))
    _Protocol.waiting = _Waiting(number // 2)
    return number


def host_name(text: str) -> str:
    """A name or an address as names are compared: in small letters, an address in its shortest form, no brackets.

    Raises ValueError for what no request can be sent to, such as a name with a port.
    """
    try:
        return str(ip_address(text[1:-1] if text[:1] + text[-1:] == "[]" else text))
    except ValueError:
        name = text if text.isascii() else text.encode("idna").decode()
        if not _NAME.fullmatch(name):
            raise ValueError(f"{text!r}, expected a name or an address, without a port") from None
        return name.lower()


def _only_for(names: Collection[str], app: ASGIApp) -> ASGIApp:
    """The application for those who call the server by one of `names`, which are as `host_name` makes them.

    A page on another site can give its own name this machine's address, and would then read answers as if they were its
    own; but its browser sends that name in the header Host. Starlette's TrustedHostMiddleware takes no IPv6 addresses
    and refuses in another form than the vendor's.
    """
    message = (
        "The server is not known by the name in the header Host; its operator can add it with --allow-host."
    )
    refused = refusal(Problem(403, "forbidden", message))

    def only_for(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        called = [value for name, value in scope["headers"] if name == b"host"]
        is_known = len(called) == 1 and _name_in(called[0]) in names
        return (app if is_known else refused)(scope, receive, send)

    return only_for


@lru_cache(256)
def _name_in(header: bytes) -> str | None:
    """The name in a header Host, without the port; None if it has none."""
    match = _HOST.fullmatch(header.decode("latin-1"))
    try:
        return host_name(match[1]) if match else None
    except ValueError:
        return None


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise ServeError(f"cannot listen on {host}, port {port}: {error}") from None

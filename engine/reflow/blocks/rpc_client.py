"""Questions to a node over JSON-RPC that end: in answers that were asked for, or in one line.

The network and the node are not trusted: every question has a deadline and a limit on the bytes of its answer. What may
pass (a full work queue, a node that is starting up, a connection that breaks) is tried again until the deadline; no
message has a user, a password or a cookie in it.
"""

import base64
import errno
import http.client
import json
import os
import socket
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn
from urllib.parse import SplitResult, unquote, urlsplit

from bitcoinrpc.authproxy import AuthServiceProxy, JSONRPCException

from reflow.errors import SourceError
from reflow.network import NETWORKS
from reflow.text import one_line, open_regular

PATIENCE_SECONDS: Final = 180.0
"""How long a question may take, all tries together."""

SMALL_ANSWER: Final = 4 << 20
"""Bytes that the answer to a question about the chain may have; real ones have a few KB, lists of branches more."""

_TRY_SECONDS: Final = 90.0
"""How long one try may take."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
"""Seconds between tries: they double."""
_LONGEST_COOKIE: Final = 4096
_SHORT_NAME: Final = 3
_LONGEST_TEXT: Final = 300
"""Characters of the node's own words in a message."""

_DEFAULT_PORTS: Final = {8332: "main", 18332: "test", 48332: "testnet4", 38332: "signet", 18443: "regtest"}
_WARMING_UP: Final = -28
_UNAUTHORIZED, _FORBIDDEN, _BUSY = 401, 403, 503


class TooLongError(SourceError):
    """An answer has more bytes than were allowed for."""


class RpcError(SourceError):
    """The node answers with an error; `code` is its number, such as -5 for an unknown block."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class _PassingError(SourceError):
    """A fault that may be gone at the next try."""


class RpcClient:
    """A node's JSON-RPC interface."""

    def __init__(
        self, url: str, *, cookie: str | Path | None = None, patience: float = PATIENCE_SECONDS
    ) -> None:
        """For http://[USER:PASSWORD@]HOST:PORT; nothing is sent yet.

        Credentials: the cookie file if given, else those in the URL, else the environment's REFLOW_RPC_USER and
        REFLOW_RPC_PASSWORD, else the cookie file in the node's default folder. `patience`: seconds that a question may
        take, all tries together. Raises SourceError: no such address, no credentials.
        """
        parts = _split(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        self.where: Final = f"{parts.scheme}://{host}:{parts.port}"
        """The address without user and password, for messages."""
        self._url: Final = f"{parts.scheme}://user:password@{host}:{parts.port}{parts.path}"
        self._credentials: Final = _credentials(parts, cookie)
        self._patience: Final = patience
        self._has_answered = False

    def call(self, method: str, *params: object) -> Any:
        """The result of one question with a small answer; see `calls`."""
        return self.calls([[method, *params]], SMALL_ANSWER)[0]

    def calls(self, calls: Sequence[Sequence[object]], most_bytes: int) -> list[Any]:
        """The results of several questions asked together, in their order; amounts are Decimal.

        Raises TooLongError if their answers have more than `most_bytes`, RpcError if the node answers with an error,
        SourceError in one line for all else.
        """
        until = time.monotonic() + self._patience
        pause, tries = _FIRST_PAUSE, 0
        while True:
            tries += 1
            try:
                results = self._try(calls, most_bytes, min(until - time.monotonic(), _TRY_SECONDS))
            except _PassingError as error:
                if time.monotonic() + pause >= until:
                    raise SourceError(f"{error} ({tries} tries in {self._patience:g} s)") from None
            else:
                self._has_answered = True
                return results
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def clean(self, text: object) -> str:
        """Words that came from the node, made fit for a message: one line of printable ASCII, not long, no secrets."""
        line = one_line(text).encode("ascii", "backslashreplace").decode()
        line = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in line)
        user, _, password = self._credentials.partition(":")
        header = base64.b64encode(self._credentials.encode()).decode()
        # A user's name of a few letters is part of any word, and hides nothing.
        for secret in (self._credentials, header, password, user if len(user) > _SHORT_NAME else ""):
            if secret:
                line = line.replace(secret, "***")
        return line if len(line) <= _LONGEST_TEXT else line[:_LONGEST_TEXT] + "..."

    def _try(self, calls: Sequence[Sequence[object]], most_bytes: int, seconds: float) -> list[Any]:
        try:
            return self._proxy.ask(calls, most_bytes, max(seconds, 0.01))
        except JSONRPCException as error:
            self._raise(error.code, self.clean(error.message))
        except _StatusError as error:
            self._refuse(error)
        except _LongAnswerError:
            raise TooLongError(
                f"{self.where}: the answer to {calls[0][0]} has more than {most_bytes:,} bytes"
            ) from None
        except http.client.IncompleteRead:
            raise _PassingError(
                f"{self.where}: node not reachable: it ended in the middle of an answer"
            ) from None
        except (ConnectionError, TimeoutError) as error:
            gone = isinstance(error, ConnectionRefusedError) and not self._has_answered
            raise (SourceError if gone else _PassingError)(self._unreachable(error)) from None
        except OSError as error:
            raise SourceError(self._unreachable(error)) from None
        except http.client.HTTPException as error:
            raise SourceError(
                f"{self.where}: not a Bitcoin node: {self.clean(str(error) or type(error).__name__)}"
            ) from None
        except RecursionError:
            raise SourceError(f"{self.where}: not a Bitcoin node: the answer is nested too deeply") from None
        except (ValueError, ArithmeticError) as error:
            raise SourceError(f"{self.where}: not a Bitcoin node: {self.clean(error)}") from None

    def _raise(self, code: int, text: str) -> NoReturn:
        if code == _WARMING_UP:
            raise _PassingError(f"{self.where}: the node is starting up ({text}): try again later") from None
        raise RpcError(f"{self.where}: the node answers: {text}", code) from None

    def _refuse(self, error: "_StatusError") -> NoReturn:
        if error.status == _UNAUTHORIZED:
            raise SourceError(
                f"{self.where}: the node refuses the RPC user or password (401), check them or the cookie file"
            ) from None
        if error.status == _FORBIDDEN:
            raise SourceError(
                f"{self.where}: the node refuses this computer (403), check its rpcallowip"
            ) from None
        if error.status == _BUSY:
            raise _PassingError(f"{self.where}: the node is too busy to answer (503)") from None
        raise SourceError(f"{self.where}: not a Bitcoin node: HTTP status {error.status}, no JSON") from None

    def _unreachable(self, error: OSError) -> str:
        reason = error.strerror or str(error) or type(error).__name__
        return f"{self.where}: node not reachable: {self.clean(reason)}"

    @cached_property
    def _proxy(self) -> "_Proxy":
        return _Proxy(self._url, self._credentials)


class _StatusError(Exception):
    """An answer without JSON, and with this HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _LongAnswerError(Exception):
    """More bytes than were allowed for."""


class _Wanted(NamedTuple):
    """What the answer to the question under way may be."""

    answers: int
    most_bytes: int


class _Proxy(AuthServiceProxy):  # type: ignore[misc]
    """python-bitcoinrpc with repairs, all outside its public interface.

    It leaves percent signs in user and password as they are, and expects an `error` member in answers to JSON-RPC 2.0
    batches, which nodes leave out since version 28. It reads answers of any length, in any order, for any time.
    """

    def __init__(self, url: str, credentials: str) -> None:
        super().__init__(url)
        self._AuthServiceProxy__auth_header = b"Basic " + base64.b64encode(credentials.encode())
        self._wanted = _Wanted(0, 0)
        weakref.finalize(self, self._connection.close)

    @property
    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection = self._AuthServiceProxy__conn
        return connection

    def ask(self, calls: Sequence[Sequence[object]], most_bytes: int, seconds: float) -> list[Any]:
        """The results of a batch, in the order of its calls. TimeoutError if they are not there after `seconds`."""
        self._wanted = _Wanted(len(calls), most_bytes)
        try:
            with self._deadline(seconds):
                results: list[Any] = self.batch_([list(call) for call in calls])
        except BaseException:
            self._connection.close()  # half an answer may be left in it
            raise
        return results

    @contextmanager
    def _deadline(self, seconds: float) -> Iterator[None]:
        """Cuts the connection after `seconds`: a peer that sends a byte now and then would never run into a timeout."""
        connection = self._connection
        connection.timeout = seconds
        if connection.sock is None:
            connection.connect()
        wire: socket.socket = connection.sock
        wire.settimeout(seconds)
        is_over = threading.Event()

        def cut() -> None:
            is_over.set()
            try:
                wire.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

        timer = threading.Timer(seconds, cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception as error:
            if is_over.is_set() or isinstance(error, TimeoutError):
                raise TimeoutError(errno.ETIMEDOUT, f"no answer within {seconds:.1f} s") from error
            raise
        finally:
            timer.cancel()

    def _get_response(self) -> list[dict[str, Any]]:
        """The answers to the batch that was sent, checked and in the order of its calls."""
        body, status = self._read()
        if status in (_UNAUTHORIZED, _FORBIDDEN, _BUSY):
            raise _StatusError(status)
        try:
            answers = json.loads(body.decode(), parse_float=Decimal, parse_constant=_refuse_constant)
        except ValueError:
            if status != http.HTTPStatus.OK:
                raise _StatusError(status) from None
            raise
        if isinstance(answers, dict):  # a whole batch was refused
            raise JSONRPCException(_plain_error(answers.get("error")))
        if not (isinstance(answers, list) and all(isinstance(answer, dict) for answer in answers)):
            raise ValueError("the answer to a batch is not a list of answers")
        last = AuthServiceProxy._AuthServiceProxy__id_count
        ids = range(last - self._wanted.answers + 1, last + 1)
        by_id = {answer["id"]: answer for answer in answers if type(answer.get("id")) is int}
        if len(answers) != len(ids) or set(by_id) != set(ids):
            raise ValueError(
                f"{len(answers)} answers to {len(ids)} questions, or other ids than were asked for"
            )
        return [_plain_answer(by_id[number]) for number in ids]

    def _read(self) -> tuple[bytes, int]:
        response = self._connection.getresponse()
        length = response.length
        most = self._wanted.most_bytes
        if length is not None and length > most:
            raise _LongAnswerError
        body = response.read(most + 1)
        if len(body) > most:
            raise _LongAnswerError
        if length is not None and len(body) < length:
            raise ConnectionResetError(errno.ECONNRESET, f"{len(body)} bytes of an answer of {length}")
        return body, response.status


def _plain_answer(answer: dict[str, Any]) -> dict[str, Any]:
    error = answer.get("error")
    return answer | {"error": None if error is None else _plain_error(error)}


def _plain_error(error: object) -> dict[str, Any]:
    """An error of the node with a number and a text, whatever it sent."""
    code = error.get("code") if isinstance(error, dict) else None
    text = error.get("message") if isinstance(error, dict) else None
    return {
        "code": code if type(code) is int else 0,
        "message": text if isinstance(text, str) else "an error without a message",
    }


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port is not None
    except ValueError:
        is_whole = False
    if not is_whole or "@" in parts.path + parts.query + parts.fragment:
        raise SourceError(
            "RPC address: expected http://[USER:PASSWORD@]HOST:PORT, such as http://127.0.0.1:8332"
        )
    return parts


def _credentials(parts: SplitResult, cookie: str | Path | None) -> str:
    if cookie is not None:
        return _read_cookie(Path(cookie))
    if parts.username is not None:
        return f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    if "REFLOW_RPC_USER" in os.environ:
        return f"{os.environ['REFLOW_RPC_USER']}:{os.environ.get('REFLOW_RPC_PASSWORD', '')}"
    network = NETWORKS[_DEFAULT_PORTS.get(parts.port or 0, "main")]
    default = Path("~/.bitcoin").expanduser() / network.folder / ".cookie"
    if not default.exists():
        raise SourceError(
            f"RPC of {parts.hostname}:{parts.port}: no user and password in the address or in REFLOW_RPC_USER and "
            f"REFLOW_RPC_PASSWORD, no --rpc-cookie, and no {default}"
        )
    return _read_cookie(default)


def _read_cookie(path: Path) -> str:
    try:
        with open_regular(path) as file:
            text = file.read(_LONGEST_COOKIE + 1).decode().strip()
    except UnicodeDecodeError:
        raise SourceError(f"{path}: not a cookie file: expected user:password, found no text") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot read the cookie file: {error.strerror}") from None
    if ":" not in text or not text.isprintable() or len(text) > _LONGEST_COOKIE:
        raise SourceError(f"{path}: not a cookie file: expected user:password")
    return text

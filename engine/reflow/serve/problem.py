"""What goes wrong in a request, told in the vendor's form: a status, a type for programs, a message for people."""

from typing import Final

_ECHOED: Final = 100
"""Letters of a bad value that a message repeats at most."""


class Problem(Exception):  # noqa: N818  # it is an answer, not a fault of the server
    """A request that cannot be answered as asked; becomes `{"error": {"type": ..., "message": ...}}`."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message

    def body(self) -> dict[str, dict[str, str]]:
        """The error object as the vendor has it."""
        return {"error": {"type": self.kind, "message": self.message}}


def bad_parameter(name: str, what: str) -> Problem:
    """Status 400, naming the parameter."""
    return Problem(400, "bad_parameter", f"Bad parameter '{_short(name)}'. {what}")


def not_supported(name: str, value: str) -> Problem:
    """Status 400 for a value that is none of the known ones, in the vendor's words."""
    return bad_parameter(name, f"Value '{_short(value)}' is not supported.")


def not_found(path: str) -> Problem:
    """Status 404."""
    return Problem(404, "not_found", f"There is nothing at '{_short(path)}'; see /openapi.json.")


def _short(text: str) -> str:
    printable = "".join(letter if letter.isprintable() else "?" for letter in text[:_ECHOED])
    return printable + ("…" if len(text) > _ECHOED else "")

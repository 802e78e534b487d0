"""Why a text was not answered."""

from __future__ import annotations

from chatd.client.link import Reason

FOR_GOOD = frozenset(
    {
        "bad-request",
        "unknown-op",
        "no-such-room",
        "forbidden",
        "too-long",
        "conflict",
        "used",
        "diverged",
    }
)
"""Codes of errors after which the same request is of no use (protocol section 4.2)."""


class SayError(Exception):
    """A text got no reply. ``str()`` is fit for a person and never holds the text."""


class SayFailed(SayError):
    """The connection is not there, or went before the reply came.

    Whether the server saw the text is not known.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.advice)
        self.reason = reason


class Declined(SayError):
    """The server answered that it does not take this text; the connection stays."""


class TooLong(SayError, ValueError):
    """The text has more than `limit` bytes of UTF-8. It was not sent."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The text is too long: at most {limit} bytes can be sent.")
        self.limit = limit


class NotText(SayError, ValueError):
    """The text holds lone surrogates, which UTF-8 cannot write. It was not sent."""

    def __init__(self) -> None:
        super().__init__("The text holds a character that cannot be sent.")


class Crowded(SayError):
    """Too many texts wait for the server already. This one was not sent."""

    def __init__(self) -> None:
        super().__init__("Too many texts wait for the server: try again later.")


class RequestFailed(Exception):
    """The server answered a session's request with an error.

    `code`: as the protocol has it (section 4.2); `fields`: the whole answer.
    """

    def __init__(self, code: str, reason: str, fields: dict[str, object]) -> None:
        super().__init__(f"The server did not do it ({code}): {reason}")
        self.code = code
        self.reason = reason
        self.fields = fields

    @property
    def for_good(self) -> bool:
        """Whether asking the same again is of no use (protocol section 4.2)."""
        return self.code in FOR_GOOD

    @property
    def retry_after(self) -> float | None:
        """Seconds."""
        after = self.fields.get("retry_after")
        return after / 1000 if isinstance(after, int) else None

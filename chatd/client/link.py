"""How the link to the server stands, why, and when it is tried again: pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """Where the link is in its life."""

    STOPPED = "stopped"
    CONNECTING = "connecting"  # until the server has proved itself by a right reply
    ONLINE = "online"
    WAITING = "waiting"  # for the next attempt


class Reason(Enum):
    """Why there is no link."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    WRONG_KEY = "wrong-key"
    LOST = "lost"
    NOT_CHATD = "not-chatd"
    STOPPED = "stopped"
    # What the server said when it refused or ended a session:
    RESTART = "restart"
    FULL = "full"
    ENDED = "ended"
    KICKED = "kicked"
    BANNED = "banned"
    REMOVED = "removed"
    ROTATED = "rotated"
    USED = "used"
    EXPIRED = "expired"
    NAME = "name"
    GUESTS_OFF = "guests-off"
    VERSION = "version"
    REFUSED_HELLO = "bad-hello"

    @property
    def advice(self) -> str:
        """What happened and what to do, for a person."""
        return self.advice_for("the server's address")

    def advice_for(self, where: str) -> str:
        """The same with the place named, as ``127.0.0.1:5555``."""
        match self:
            case Reason.REFUSED:
                return (
                    f"Nothing listens at {where}. Is the daemon running? "
                    "Start it with: make serve"
                )
            case Reason.UNREACHABLE:
                return (
                    f"There is no way to {where}. Check the host name, the port "
                    "and the network."
                )
            case Reason.TIMEOUT:
                return (
                    f"No answer from {where} in time. Check the address, the network "
                    "and any firewall on the way."
                )
            case Reason.WRONG_KEY:
                return (
                    "The server closed the connection without an answer: probably "
                    "the wrong key. Compare `chatctl key show-id` on both sides."
                )
            case Reason.LOST:
                return f"The connection to {where} was lost."
            case Reason.NOT_CHATD:
                return (
                    f"What answers at {where} does not speak chatd's protocol. "
                    "Check the host and the port."
                )
            case Reason.STOPPED:
                return "The connection was closed here."
            case _:
                return f"{where}: {_SAID[self]}"


_SAID = {
    Reason.RESTART: "The server restarts; it will be back soon.",
    Reason.FULL: "The server has no room for one more session now.",
    Reason.ENDED: "The server ended the session, for now. Connect again later.",
    Reason.KICKED: "The server ended this session. Connect again if it was a mistake.",
    Reason.BANNED: "This key is banned from the server. Ask its operator.",
    Reason.REMOVED: "This user was removed from the server. Ask its operator.",
    Reason.ROTATED: (
        "This key was replaced by a newer one. Use the newer key file, or ask the"
        " operator for an invite."
    ),
    Reason.USED: "This invite was used. If not by you, tell the operator at once.",
    Reason.EXPIRED: "This invite has expired. Ask the operator for a new one.",
    Reason.NAME: "This name is taken or not allowed here. Choose another.",
    Reason.GUESTS_OFF: (
        "Guests are not let in here. Ask the operator for a key of your own."
    ),
    Reason.VERSION: "The server speaks another version of the protocol. Update.",
    Reason.REFUSED_HELLO: "The server did not understand this client. Update.",
}


@dataclass(frozen=True, slots=True)
class LinkState:
    """The link at one moment."""

    phase: Phase
    reason: Reason | None = None
    """Why there is no link, or was none before this attempt; None while ONLINE."""
    retry_in: float | None = None
    """Seconds until the next attempt, in the phase WAITING alone."""
    where: str = "the server's address"
    """The place the link leads to, for people."""

    @property
    def advice(self) -> str:
        """What to tell a person about `reason`; empty without one."""
        return "" if self.reason is None else self.reason.advice_for(self.where)


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds between attempts: doubled by each failure, up to `most`."""

    first: float = 1.0
    hopeless: float = 10.0
    """The first one where trying again hardly helps: a wrong key, no chatd."""
    most: float = 60.0


class Backoff:
    """How long to wait before the next attempt.

    The failures in a row count until `reset`, which is due when the server has proved
    itself, not when TCP connects: one that accepts and drops is not hammered.
    """

    def __init__(
        self, random: Callable[[], float], delays: Delays | None = None
    ) -> None:
        """`random`: uniform in [0, 1)."""
        self._random = random
        self._delays = Delays() if delays is None else delays
        self._failures = 0

    def next(self, reason: Reason) -> float:
        """Seconds to wait after one more failure.

        They lie between half and all of the doubled delay, so that many clients do not
        come back together.
        """
        delays = self._delays
        hopeless = reason in (Reason.WRONG_KEY, Reason.NOT_CHATD)
        start = delays.hopeless if hopeless else delays.first
        whole = min(delays.most, start * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return whole * (0.5 + 0.5 * self._random())

    def reset(self) -> None:
        """Begin anew: the server has given a right reply."""
        self._failures = 0

"""Messages in, replies out in the same order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from chatd.client.link import LinkState, Phase, Reason
from chatd.client.plain import SayError, SayFailed
from chatd.client.reach import Reachable, Unreached, reach
from chatd.clients.chat_term.lines import LONGEST
from chatd.clients.chat_term.output import Output


class Speaker(Reachable, Protocol):
    """What is needed of a PlainClient."""

    def say(self, text: str, /) -> Deferred[str]: ...


@dataclass(slots=True)
class _Slot:
    """One message's place in the output."""

    sent: str
    reply: str | None = None
    why: str | None = None
    seconds: float = 0.0

    @property
    def settled(self) -> bool:
        return self.reply is not None or self.why is not None


@dataclass(slots=True)
class Talk:
    """Says messages by `client`, prints what comes of them to `output` in order.

    `seconds`: how long a message waits for a connection, and then for its reply.
    `settled`: called once for each message taken, when it is printed.
    """

    client: Speaker
    clock: IReactorTime
    output: Output
    seconds: float
    settled: Callable[[], None] = lambda: None
    failed: int = 0
    _slots: deque[_Slot] = field(default_factory=deque)
    _idle: list[Deferred[None]] = field(default_factory=list)

    def take(self, data: bytes) -> None:
        """Say `data`, UTF-8 text."""
        text = data.decode(errors="replace")
        slot = _Slot(text)
        self._slots.append(slot)
        if len(data) > LONGEST:
            slot.why = "the message is too long"
        elif text.encode() != data:
            slot.why = "the message is not UTF-8 text"
        else:
            said = Deferred.fromCoroutine(self._say(slot))
            said.addErrback(self._broken, slot)
            said.addCallback(lambda _: self._print())
            return
        self._print()

    def idle(self) -> Deferred[None]:
        """Fires when nothing that was taken is unsettled."""
        done: Deferred[None] = Deferred()
        self._idle.append(done)
        self._print()
        return done

    async def _say(self, slot: _Slot) -> None:
        try:
            await reach(self.client, self.clock, self.seconds)
            began = self.clock.seconds()
            slot_reply = await self.client.say(slot.sent).addTimeout(
                self.seconds, self.clock
            )
        except SayFailed as error:
            slot.why = error.reason.advice_for(self.client.state.where)
        except (Unreached, SayError) as error:
            slot.why = str(error)
        except (CancelledError, TimeoutError):
            slot.why = Reason.TIMEOUT.advice_for(self.client.state.where)
        else:
            slot.seconds = self.clock.seconds() - began
            slot.reply = slot_reply

    def _broken(self, failure: Failure, slot: _Slot) -> None:
        slot.why = failure.getErrorMessage()

    def _print(self) -> None:
        while self._slots and self._slots[0].settled:
            slot = self._slots.popleft()
            if slot.reply is not None:
                self.output.reply(slot.sent, slot.reply, slot.seconds)
            else:
                self.failed += 1
                self.output.failure(slot.sent, slot.why or "")
            self.settled()
        if not self._slots or self.output.gone:
            waiting, self._idle = self._idle, []
            for done in waiting:
                done.callback(None)


def described(state: LinkState) -> str:
    """The connection's `state` for a person."""
    match state.phase:
        case Phase.ONLINE:
            return "connected"
        case Phase.CONNECTING:
            return "connecting"
        case Phase.WAITING:
            why = state.advice or "not connected"
            if state.retry_in is None:
                return why
            return f"{why} (trying again in {state.retry_in:.1f} s)"
        case _:
            return "not connected"

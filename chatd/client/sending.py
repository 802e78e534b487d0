"""The outbox at work: what is sent, what became of it, who is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.client.errors import RequestFailed
from chatd.client.events import Own, OwnChanged, OwnState
from chatd.client.limits import Limits
from chatd.client.outgoing import Outgoing
from chatd.client.session_line import SessionLine
from chatd.journal.copies import Copies
from chatd.journal.outbox import Outbox, Queued
from chatd.wire.json_text import Object
from chatd.wire.messages import Message, is_integer
from chatd.wire.requests import Send

_log = Logger()


class Sending:
    """Own messages, from the disk to their acknowledgement."""

    def __init__(
        self,
        reactor: IReactorTime,
        outbox: Outbox,
        copies: Copies,
        limits: Limits,
        tell: Callable[[OwnChanged], None],
    ) -> None:
        self._reactor = reactor
        self._outbox = outbox
        self._copies = copies
        self._tell = tell
        self._outgoing = Outgoing(limits.sends, limits.retry, limits.retry_most)
        self._own: dict[str, Own] = {}
        self._line: SessionLine | None = None
        self._timer: IDelayedCall | None = None
        for queued in outbox.all():
            self._own[queued.id] = _own(queued)
            if queued.code is None:
                self._outgoing.add(queued, tried=True)  # by the process before, perhaps

    def all(self) -> list[Own]:
        """Own messages that have not come back in their room's log yet."""
        return list(self._own.values())

    def add(self, room: str, id: str, body: str, composed: int) -> Own:
        """Keep a message; the caller lets it be sent. Raises OutboxFull."""
        known = self._own.get(id)
        if known is not None:
            return known
        queued = self._outbox.add(room, id, body, composed)
        own = self._own[id] = _own(queued)
        self._outgoing.add(queued)
        self._tell(OwnChanged(own))
        return own

    def edit(self, id: str, new_id: str, body: str, composed: int) -> bool:
        """Change one that no server has seen, or none will take."""
        own = self._own.get(id)
        if own is None or own.state is OwnState.STORED or self._outgoing.tried(id):
            return False
        queued = self._outbox.replace(id, new_id, body, composed)
        if queued is None:
            return False
        edited = _own(queued)  # in its place: they stand in the order of typing
        self._own = {
            each.id: each
            for each in (edited if key == id else o for key, o in self._own.items())
        }
        if own.state is OwnState.FAILED:
            self._outgoing.add(queued)
        else:
            self._outgoing.replace(id, queued)
        self._tell(OwnChanged(self._own[new_id]))
        return True

    def retry(self, id: str, new_id: str, composed: int) -> bool:
        """Send one that FAILED once more, behind all others."""
        own = self._own.get(id)
        if own is None or own.state is not OwnState.FAILED:
            return False
        queued = self._outbox.requeue(id, new_id, composed)
        if queued is None:
            return False
        del self._own[id]
        self._own[new_id] = _own(queued)
        self._outgoing.add(queued)
        self._tell(OwnChanged(self._own[new_id]))
        return True

    def discard(self, id: str) -> bool:
        """Drop one that no server has seen, or none will take."""
        own = self._own.get(id)
        if own is None or own.state is OwnState.STORED or self._outgoing.tried(id):
            return False
        self._outbox.remove(id)
        self._outgoing.settled(own.room, id)
        del self._own[id]
        return True

    def online(self, line: SessionLine) -> None:
        """A session is live."""
        self._line = line
        self.send()

    def offline(self) -> None:
        """All that was sent and not answered is to be sent again."""
        self._line = None
        self._outgoing.lost()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def send(self) -> None:
        """Send what is due."""
        line = self._line
        if line is None:
            return
        for queued in self._outgoing.due(self._reactor.seconds()):
            send = Send(queued.id, queued.room, queued.body, queued.composed)
            asked = line.ask(send)
            asked.addCallbacks(
                self._stored,
                self._not_stored,
                callbackArgs=(queued, line),
                errbackArgs=(queued, line),
            )
            asked.addErrback(lambda failure: _log.failure("send-failed", failure))
        self._wake(self._outgoing.next_due())

    def arrived(self, messages: Sequence[Message], name: str) -> None:
        """What came in its room's log needs no state of its own any more."""
        for message in messages:
            own = self._own.get(message.id)
            if own is None or message.sender != name or own.room != message.room:
                continue
            if own.state is not OwnState.STORED:  # the push was faster than the ack
                self._settle(own, message.seq)
            self._own.pop(message.id, None)

    def dropped(self, room: str) -> None:
        """What `room` has stored comes in its log no more."""
        for own in self.all():
            if own.room == room and own.state is OwnState.STORED:
                del self._own[own.id]

    def _stored(self, ack: Object, queued: Queued, line: SessionLine) -> None:
        own, seq = self._own.get(queued.id), ack.get("seq")
        if not is_integer(seq):
            line.distrust("a send's ack without seq")
            return
        if own is not None:
            self._settle(own, seq)
            copy = self._copies.of(own.room)
            if copy is None or not copy.followed or copy.last >= seq:
                self._own.pop(own.id, None)  # else it comes in the room's log
        self.send()

    def _settle(self, own: Own, seq: int) -> None:
        self._outbox.remove(own.id)
        self._outgoing.settled(own.room, own.id)
        own = self._own[own.id] = replace(own, state=OwnState.STORED, seq=seq)
        self._tell(OwnChanged(own))

    def _not_stored(self, failure: Failure, queued: Queued, line: SessionLine) -> None:
        error = failure.value
        own = self._own.get(queued.id)
        if own is None or own.state is OwnState.STORED or self._line is not line:
            return
        if isinstance(error, RequestFailed) and error.for_good:
            self._outbox.fail(queued.id, error.code, error.reason)
            self._outgoing.settled(queued.room, queued.id)
            own = self._own[queued.id] = replace(
                own, state=OwnState.FAILED, code=error.code, reason=error.reason
            )
            self._tell(OwnChanged(own))
        else:
            after = error.retry_after if isinstance(error, RequestFailed) else None
            now = self._reactor.seconds()
            self._outgoing.not_taken(queued.room, queued.id, now, after)
        self.send()

    def _wake(self, due: float | None) -> None:
        """Send again at `due`, if nothing is to be sent before."""
        if due is None:
            return
        if self._timer is not None and self._timer.getTime() > due:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            wait = max(0.0, due - self._reactor.seconds())
            self._timer = self._reactor.callLater(wait, self._again)

    def _again(self) -> None:
        self._timer = None
        self.send()


def _own(queued: Queued) -> Own:
    state = OwnState.QUEUED if queued.code is None else OwnState.FAILED
    return Own(
        queued.id,
        queued.room,
        queued.body,
        queued.composed,
        state,
        None,
        queued.code,
        queued.reason,
    )

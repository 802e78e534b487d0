"""The conversation with the server as questions and answers."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, fail

from chatd.client.chat import ChatClient
from chatd.client.errors import SayError, SayFailed
from chatd.client.events import Arrived, Event, OwnChanged, OwnState
from chatd.client.link import LinkState, Reason
from chatd.wire.names import SERVER, direct


class NotTaken(SayError):
    """The server will never take this text."""


class ServerTalk:
    """Says texts in one's conversation with the server; each gets its answer.

    A session's counterpart of PlainClient, for what talks with the server alone.
    """

    def __init__(self, client: ChatClient) -> None:
        self._client = client
        self._asked: dict[str, Deferred[str]] = {}  # by the message's id
        self._stored: dict[str, Deferred[str]] = {}  # by the answer's
        client.listen(self._heard)

    def start(self) -> None:
        self._client.start()

    def stop(self) -> Deferred[None]:
        return self._client.stop()

    def retry_now(self) -> None:
        self._client.retry_now()

    @property
    def state(self) -> LinkState:
        return self._client.state

    def observe(self, callback: Callable[[LinkState], None]) -> Callable[[], None]:
        return self._client.observe(callback)

    def when_online(self) -> Deferred[None]:
        return self._client.when_online()

    def say(self, text: str) -> Deferred[str]:
        """Fires with the server's answer, once both are on its disk."""
        name, client = self._client.name, self._client
        if name is None:
            return fail(SayFailed(Reason.LOST))
        room = direct(name, SERVER)
        copy = client.copy(room)
        if client.guest or (copy is not None and copy.followed):
            return self._say(room, text)
        # The answer comes in the conversation: it has to be followed before.
        return client.join(room).addCallback(lambda _: self._say(room, text))

    def _say(self, room: str, text: str) -> Deferred[str]:
        try:
            own = self._client.say(room, text)
        except SayError as error:
            return fail(error)
        answer = self._asked[own.id] = Deferred()
        return answer

    def _heard(self, event: Event) -> None:
        match event:
            case OwnChanged(own) if own.id in self._asked:
                if own.state is OwnState.STORED:
                    self._stored[f"re:{own.seq}"] = self._asked.pop(own.id)
                elif own.state is OwnState.FAILED:
                    answer = self._asked.pop(own.id)
                    if not answer.called:
                        answer.errback(NotTaken(own.reason or own.code or ""))
            case Arrived(messages):
                for message in messages:
                    if message.sender == SERVER:
                        self._answered(message.id, message.body or "")

    def _answered(self, id: str, body: str) -> None:
        answer = self._stored.pop(id, None)
        if answer is not None and not answer.called:
            answer.callback(body)

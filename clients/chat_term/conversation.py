"""A conversation at a terminal: rooms, what is said there, and commands by a slash."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred, TimeoutError
from twisted.python.failure import Failure

from chatd.client.chat import ChatClient
from chatd.client.errors import RequestFailed, SayError
from chatd.client.events import (
    Arrived,
    Event,
    Own,
    OwnChanged,
    OwnState,
    PresenceChanged,
    RoomBegun,
)
from chatd.client.link import LinkState, Phase, Reason
from chatd.clients.chat_term import place
from chatd.clients.chat_term.lines import read_messages
from chatd.clients.chat_term.run import FAILED, OK, CommandFailed, Run, Told
from chatd.clients.chat_term.talk import described
from chatd.wire.messages import Message
from chatd.wire.names import SERVER, direct

HELP = """\
  text                say it in the room of the prompt; //text begins with a slash
  /join #ROOM, /join @NAME, /join @server     go to a room, and follow it
  /leave              follow this room no more, go back to the server
  /rooms, /who        the rooms; who is in this one
  /history [COUNT]    the last messages; /search WORDS
  /verify             the hash of the last message: compare it with another member
  /retry, /help; Ctrl-D ends"""


class Conversation:
    """One person's screen: a current room, and what comes from all others."""

    def __init__(self, run: Run, client: ChatClient) -> None:
        self._run = run
        self._client = client
        self._output = run.output
        self._room = place.TALK
        self._commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "join": self._join,
            "leave": self._leave,
            "rooms": self._rooms,
            "who": self._who,
            "history": self._history,
            "search": self._search,
            "verify": self._verify,
            "retry": self._retry,
            "help": self._help,
        }
        client.listen(self._heard)
        client.observe(self._changed)

    async def converse(self, prompting: bool) -> int:
        """Until Ctrl-D; the exit code. `prompting`: with line editing."""
        self._changed(self._client.state)
        if not self._run.kept:
            self._output.notice(
                "another program uses this account's store: what is not sent when"
                " this one ends is lost"
            )
        for own in self._client.own():
            if own.state is OwnState.FAILED:
                self._not_said(own)
        if prompting:
            from chatd.clients.chat_term.prompt import converse

            await converse(self.take, self._status)
        else:
            await self._read()
        await self._sent()
        return FAILED if self._run.troubled else OK

    async def _read(self) -> None:
        """Take the lines of standard input up to its end."""
        ended: Deferred[None] = Deferred()

        def got(line: bytes) -> None:
            release()
            self.take(line)

        release = read_messages(self._run.reactor, got, lambda: ended.callback(None))
        await ended

    async def _sent(self) -> None:
        """What was typed gets the time of an answer to go out."""
        done: Deferred[None] = Deferred()

        def heard(_: Event) -> None:
            if not self._waiting() and not done.called:
                done.callback(None)

        if self._waiting() and self._client.state.phase is Phase.ONLINE:
            unlisten = self._client.listen(heard)
            done.addTimeout(self._run.timeout, self._run.reactor)
            try:
                await done
            except TimeoutError:
                pass
            finally:
                unlisten()
        if left := self._waiting():
            what = "kept, and go out with the next run" if self._run.kept else "lost"
            self._output.notice(f"{left} messages were not sent; they are {what}")

    def _waiting(self) -> int:
        return sum(own.state is OwnState.QUEUED for own in self._client.own())

    def take(self, data: bytes) -> None:
        """One line that was typed."""
        done = Deferred.fromCoroutine(self._take(data.decode(errors="replace")))
        done.addErrback(self._failed)

    def _status(self) -> str:
        return f"{self._room} · {described(self._client.state)} · /help"

    @property
    def _full_name(self) -> str:
        """The current room as the server calls it."""
        if self._room == place.TALK:
            return direct(self._client.name or "", SERVER)
        return self._room

    async def _take(self, line: str) -> None:
        if line.startswith("/") and not line.startswith("//"):
            word, _, rest = line[1:].partition(" ")
            command = self._commands.get(word)
            if command is None:
                raise CommandFailed(f"there is no /{word[:20]}; /help lists what is")
            await command(rest.strip())
        elif line:
            if self._client.name is None:  # the first time, with this key
                await self._client.when_online()
            text = line.removeprefix("/") if line.startswith("//") else line
            self._client.say(self._full_name, text)

    async def _join(self, word: str) -> None:
        room = place.room_of(word, self._client)
        await place.joined(self._run, self._client, room)
        self._room = room
        await self._history("10")

    async def _leave(self, _: str) -> None:
        self._client.leave(self._full_name)
        self._room = place.TALK

    async def _rooms(self, _: str) -> None:
        for room in await self._client.rooms():
            unread = max(0, room.last - room.read)
            self._output.notice(f"{room.room} ({unread} unread)")

    async def _who(self, _: str) -> None:
        for each in await self._client.members(self._full_name):
            self._output.notice(f"{each.name}{' (online)' if each.online else ''}")

    async def _history(self, count: str) -> None:
        number = int(count) if count.isascii() and count.isdigit() else 20
        for message in await self._client.messages(
            self._full_name, limit=max(1, min(number, place.PAGE))
        ):
            self._show(message)

    async def _search(self, words: str) -> None:
        for message in (await self._client.search(words)).messages:
            self._output.message(message, with_room=True)

    async def _verify(self, _: str) -> None:
        room = self._full_name
        verdict = await place.verified(self._run, self._client, room)
        found = verdict.trouble.kind if verdict.trouble else "the server agrees"
        copy = verdict.copy
        self._output.notice(f"{room} message {copy.last} {copy.hash}: {found}")

    async def _retry(self, _: str) -> None:
        for own in self._client.own():
            if own.state is OwnState.FAILED:
                self._client.retry(own.id)

    async def _help(self, _: str) -> None:
        self._output.notice("commands:\n" + HELP)

    def _heard(self, event: Event) -> None:
        match event:
            case Arrived(messages):
                for message in messages:
                    self._show(message)
            case OwnChanged(own) if own.state is OwnState.FAILED:
                self._not_said(own)
            case PresenceChanged(name, online) if name != self._client.name:
                self._output.notice(f"{name} {'is here' if online else 'left'}")
            case RoomBegun(room):
                self._client.join(room).addErrback(self._failed)

    def _not_said(self, own: Own) -> None:
        why = own.reason or own.code
        self._output.notice(f"not said in {own.room}: {why}; /retry sends it again")

    def _show(self, message: Message) -> None:
        self._output.message(message, with_room=message.room != self._full_name)
        if message.room == self._full_name:
            self._client.read(message.room, message.seq)

    def _changed(self, state: LinkState) -> None:
        if state.phase is Phase.ONLINE:
            self._output.notice(f"connected as {self._client.name}")
            if not self._client.guest:
                room = direct(self._client.name or "", SERVER)
                copy = self._client.copy(room)
                if copy is None or not copy.followed:
                    self._client.join(room).addErrback(lambda _: None)
        elif state.phase is not Phase.CONNECTING:
            self._output.notice(described(state))

    def _failed(self, failure: Failure) -> None:
        if failure.check(Told):
            return
        if failure.check(TimeoutError):
            self._output.notice(Reason.TIMEOUT.advice_for(self._run.where))
        elif failure.check(CommandFailed, SayError, RequestFailed):
            self._output.notice(str(failure.value))
        else:
            self._output.notice(f"failed: {type(failure.value).__name__}")

"""Which rooms and people there are, and what is unread in them. No Tk."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatd.client.chat import ChatClient
from chatd.clients.chat_tk.attention import Mentions
from chatd.clients.chat_tk.preferences import Preferences
from chatd.clients.chat_tk.side_list import SERVER, SideItem, side_items, title, unread
from chatd.wire.messages import Message
from chatd.wire.names import LOBBY, is_public

_RECALLED = 200  # unread messages that are looked through for mentions at the start


class Roster:
    """As one client knows them; `name` says how the reader is called."""

    def __init__(self, client: ChatClient, name: Callable[[], str]) -> None:
        self._client, self._name = client, name
        self._mentions = Mentions()
        self._rooms = {c.room for c in client.copies() if is_public(c.room)} | {LOBBY}
        self._people: set[str] = set()
        self._online: set[str] = set()

    def note(self, room: str) -> None:
        """There is such a conversation."""
        if is_public(room):
            self._rooms.add(room)
        else:
            self._people |= {title(room, self._name())} - {SERVER}

    def presence(self, name: str, online: bool) -> None:
        """Somebody came or went."""
        self._people.add(name)
        (self._online.add if online else self._online.discard)(name)

    async def look_around(self) -> list[str]:
        """Learn from the server which rooms there are, and who; the rooms."""
        rooms = [each.room for each in await self._client.rooms()]
        for room in rooms:
            self.note(room)
        for each in await self._client.members(LOBBY):
            self.presence(each.name, each.online)
        return rooms

    async def recall(self) -> None:
        """Find what of the unread speaks of the reader, as far as it is held here."""
        for copy in self._client.copies():
            if count := min(unread(copy), _RECALLED):
                for message in await self._client.messages(copy.room, None, count):
                    self.heard(message)

    def heard(self, message: Message) -> bool:
        """One more message; whether it speaks of the reader."""
        return self._mentions.heard(message, self._name())

    def read(self, room: str, seq: int) -> None:
        """The reader has seen everything up to `seq`."""
        self._mentions.read(room, seq)

    def items(self, chosen: str, preferences: Preferences) -> Sequence[SideItem]:
        """All conversations, in order; `chosen`: the one in front."""
        return side_items(
            self._name(),
            self._rooms,
            self._people,
            self._online,
            {copy.room: copy for copy in self._client.copies()},
            chosen,
            self._mentions.unread,
            preferences.rule,
        )

"""What the reader writes: drafts by room, what is sent, changed, taken back. No Tk."""

from __future__ import annotations

from typing import Protocol

from chatd.client.chat import ChatClient
from chatd.client.errors import SayError
from chatd.client.events import OwnState
from chatd.clients.chat_tk.conversation import Conversation
from chatd.clients.chat_tk.drawable import whole


class WritingView(Protocol):
    """What is asked of the window."""

    def show_draft(self, text: str, editing: bool) -> None:
        """Put `text` where one writes. `editing`: it stands in the list already."""

    def draft(self) -> str:
        """What is written and not sent."""

    def show_trouble(self, text: str) -> None:
        """Say that something went wrong, until the reader has seen it."""


class Writing:
    """One's own messages in the room in front."""

    def __init__(
        self, view: WritingView, conversation: Conversation, drafts: dict[str, str]
    ) -> None:
        self._view, self._conversation = view, conversation
        self.drafts = dict(drafts)
        """What was being written, by room."""
        self._client: ChatClient | None = None
        self._editing = ""  # the id of the own message that is being changed

    def open(self, client: ChatClient | None, room: str) -> None:
        """`room` is going to be in front: keep what was written in the one before."""
        self.keep()
        self._client, self._editing = client, ""
        if room:
            self._view.show_draft(self.drafts.get(room, ""), False)

    def keep(self) -> None:
        """Keep what is written for another time."""
        room = self._conversation.room
        if room and not self._editing:
            drafts = self.drafts | {room: self._view.draft()}
            self.drafts = {
                each: drafts[each] for each in drafts if drafts[each].strip()
            }

    def submit(self, text: str) -> bool:
        """The reader pressed Enter. True when the text was taken."""
        room, client = self._conversation.room, self._client
        text = whole(text).strip("\n")
        if not text.strip() or client is None or not room:
            return False
        try:
            if self._editing:
                return self._change(client, text)
            self._conversation.to_end()
            client.say(room, text)
        except SayError as error:
            self._view.show_trouble(f"Not sent: {str(error).rstrip('.')}")
            return False
        self.drafts.pop(room, None)
        return True

    def _change(self, client: ChatClient, text: str) -> bool:
        id, self._editing = self._editing, ""
        if not client.edit(id, text):
            self._view.show_trouble("Not changed: it is on its way already.")
            return False
        self._conversation.own_anew()
        return True

    def edit(self, own: str = "") -> bool:
        """Let the reader change what is not sent yet: that one, or the last."""
        client = self._client
        if client is None:
            return False
        waiting = [
            each
            for each in client.own(self._conversation.room)
            if each.state is not OwnState.STORED and own in ("", each.id)
        ]
        if not waiting:
            return False
        self._editing = waiting[-1].id
        self._view.show_draft(waiting[-1].body, True)
        return True

    def cancel_edit(self) -> bool:
        """Leave the message as it is; whether one was being changed."""
        if not self._editing:
            return False
        self._editing = ""
        self._view.show_draft("", False)
        return True

    def retry(self, own: str) -> None:
        """Send a message that failed once more."""
        if self._client is not None and self._client.retry(own):
            self._conversation.own_anew()

    def discard(self, own: str) -> None:
        """Do not send it."""
        if self._client is not None:
            if not self._client.discard(own):
                self._view.show_trouble("Not deleted: it is on its way already.")
            self._conversation.own_anew()

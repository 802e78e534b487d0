"""What can be done with a message: by its offers, by its menu."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from functools import partial
from typing import Protocol

from chatd.clients.chat_tk.composer import Composer
from chatd.clients.chat_tk.menus import Item, Menus
from chatd.clients.chat_tk.message_list import MessageList
from chatd.clients.chat_tk.presenter import Presenter
from chatd.clients.chat_tk.rows import Mark


class Window(Protocol):
    """What is needed of the window around."""

    root: tk.Tk
    presenter: Presenter
    messages: MessageList
    composer: Composer
    menus: Menus

    def to_composer(self) -> None: ...


class MessageActs:
    """Implements pointing.Acts."""

    def __init__(self, window: Window, open_url: Callable[[str], None]) -> None:
        self._window = window
        self.open_url = open_url

    def copy(self, text: str) -> str:
        """Put `text` into the clipboard, if there is any."""
        if text:
            self._window.root.clipboard_clear()
            self._window.root.clipboard_append(text)
        return "break"

    def act(self, what: str, id: int) -> None:
        """One of the offers beside a message was taken."""
        presenter = self._window.presenter
        message = presenter.conversation.message(id)
        if message is None:
            return
        match what:
            case "unfold":
                presenter.conversation.transcript.unfold(id)
            case "retry":
                presenter.writing.retry(message.own)
            case "edit":
                presenter.writing.edit(message.own)
                self._window.to_composer()
            case "discard":
                presenter.writing.discard(message.own)

    def menu(self, id: int | None, link: str, x: int, y: int) -> None:
        """Offer what can be done with a message and with a link in it."""
        window = self._window
        items: list[Item] = []
        if link:
            items.append(("Open link", lambda: self.open_url(link)))
            items.append(("Copy link", lambda: self.copy(link)))
        if selected := window.messages.selected():
            items.append(("Copy selected text", lambda: self.copy(selected)))
        message = None if id is None else window.presenter.conversation.message(id)
        if message is not None:
            text = message.text
            items.append(("Copy message", lambda: self.copy(text)))
            items.append(("Quote", lambda: window.composer.quote(text)))
            if message.own and not message.seq:
                act = partial(self.act, id=message.id)
                items.append(None)
                if message.mark is Mark.FAILED:
                    items.append(("Try again", lambda: act("retry")))
                items.append(("Edit", lambda: act("edit")))
                items.append(("Delete", lambda: act("discard")))
        if items:
            window.menus.show(items, x, y)

"""What the pointer does in the message list: links, offers, the context menu."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from typing import Protocol


class Acts(Protocol):
    """What the list asks for. Messages are known by their numbers."""

    open_url: Callable[[str], None]

    def act(self, what: str, id: int) -> None:
        """ "unfold", "retry", "edit" or "discard" a message."""

    def menu(self, id: int | None, link: str, x: int, y: int) -> None:
        """Offer the menu of a message, with a link in it, at a place on screen."""


class Pointing:
    """A tag of its own for each thing that can be clicked; it goes with its message."""

    def __init__(
        self, text: tk.Text, acts: Acts, at: Callable[[int, int], int | None]
    ) -> None:
        """`at`: the message at a place of the widget."""
        self._text, self._acts, self._at = text, acts, at
        self._things: dict[str, tuple[int, str]] = {}  # tag: message, address or act
        self._serial = 0
        self._pressed = ""
        text.bind("<Button-1>", lambda event: text.focus_set(), add=True)
        text.bind("<Button-3>", self._menu_wanted)
        for kind in ("link", "act", "fold"):
            text.tag_bind(kind, "<Button-1>", self._press)
            text.tag_bind(kind, "<ButtonRelease-1>", self._release)
            text.tag_bind(kind, "<Enter>", lambda event: self._cursor("hand2"))
            text.tag_bind(kind, "<Leave>", lambda event: self._cursor("arrow"))

    def link(self, id: int, address: str) -> str:
        """The tag of a link in message `id`."""
        return self._tag("u", id, address)

    def act(self, id: int, what: str) -> str:
        """The tag of an offer at message `id`."""
        return self._tag("a", id, what)

    def forget(self, gone: Sequence[int]) -> None:
        """These messages are shown no more."""
        ids = set(gone)
        tags = [tag for tag, (id, _) in self._things.items() if id in ids]
        for tag in tags:
            del self._things[tag]
        if tags:
            self._text.tag_delete(*tags)

    def _tag(self, kind: str, id: int, what: str) -> str:
        self._serial += 1
        tag = f"{kind}{self._serial}"
        self._things[tag] = (id, what)
        return tag

    def _tag_at(self, event: tk.Event[tk.Text]) -> str:
        tags = self._text.tag_names(f"@{event.x},{event.y}")
        return next((tag for tag in tags if tag in self._things), "")

    def _press(self, event: tk.Event[tk.Text]) -> None:
        self._pressed = self._tag_at(event)

    def _release(self, event: tk.Event[tk.Text]) -> None:
        tag = self._tag_at(event)
        if not tag or tag != self._pressed or self._text.tag_ranges("sel"):
            return
        id, what = self._things[tag]
        if tag.startswith("u"):
            self._acts.open_url(what)
        else:
            self._acts.act(what, id)

    def _menu_wanted(self, event: tk.Event[tk.Text]) -> None:
        tag = self._tag_at(event)
        link = self._things[tag][1] if tag.startswith("u") else ""
        id = self._at(event.x, event.y)
        self._acts.menu(id, link, event.x_root, event.y_root)

    def _cursor(self, name: str) -> None:
        self._text.configure(cursor=name)

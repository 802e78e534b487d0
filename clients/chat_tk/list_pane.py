"""The message list and what floats over it: the presenter's ConversationView."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk

from chatd.clients.chat_tk.message_list import MessageList
from chatd.clients.chat_tk.pointing import Acts
from chatd.clients.chat_tk.rows import Body, Mark, Row
from chatd.clients.chat_tk.theme import Theme


class ListPane(ttk.Frame):
    """`on_end`: the reader wants the newest; `on_new`: the first new message."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        *,
        on_scroll: Callable[[bool], None],
        on_edge: Callable[[int], None],
        on_end: Callable[[], None],
        on_new: Callable[[], None],
        acts: Acts,
        drawable: Callable[[str], str],
    ) -> None:
        super().__init__(parent, style="List.TFrame")
        self._theme, self._on_end = theme, on_end
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self.messages = MessageList(
            self,
            theme,
            on_scroll=on_scroll,
            on_edge=on_edge,
            acts=acts,
            drawable=drawable,
        )
        self.messages.grid(row=0, column=0, sticky="nsew")
        self.empty = ttk.Label(
            self, style="Empty.TLabel", text="No messages yet. Say hello."
        )
        self.below = self._pill(self.to_end)
        self.above = self._pill(on_new)
        self._show_empty(True)
        self.restyle()

    def _pill(self, act: Callable[[], object]) -> ttk.Button:
        return ttk.Button(
            self,
            style="Pill.TButton",
            compound="left",
            command=act,
            takefocus=False,
        )

    def restyle(self) -> None:
        """Take the theme's colours."""
        theme, ink = self._theme, self._theme.palette.accent_text
        self.below.configure(image=theme.icon("down", ink, 13))
        self.above.configure(image=theme.icon("up", ink, 13))
        self.messages.restyle()

    def to_end(self) -> None:
        """To the newest, and stay there."""
        self._on_end()
        self.messages.scrolling.to_end()

    # -- presenter.ConversationView

    def reset_rows(self, rows: Sequence[Row], see: int | None) -> None:
        self._show_empty(not rows)
        self.messages.reset(rows, see)

    def append_rows(self, rows: Sequence[Row]) -> None:
        self._show_empty(False)
        self.messages.append(rows)

    def replace_top(self, rows: Sequence[Row], through: int) -> None:
        self.messages.replace_top(rows, through)

    def cut_below(self, last: int | None) -> None:
        self.messages.cut_below(last)
        if last is None:
            self._show_empty(True)

    def replace_body(self, body: Body) -> None:
        self.messages.replace_body(body)

    def set_mark(self, id: int, mark: Mark, why: str) -> None:
        self.messages.set_mark(id, mark, why)

    def show_message(self, id: int) -> None:
        self.messages.show(id)

    def show_below(self, count: int) -> None:
        self._show_pill(self.below, count, 1.0, "s")

    def show_above(self, count: int) -> None:
        self._show_pill(self.above, count, 0.0, "n")

    def _show_pill(
        self, pill: ttk.Button, count: int, rely: float, anchor: str
    ) -> None:
        if not count:
            pill.place_forget()
            return
        plural = "" if count == 1 else "s"
        pill.configure(text=f" {count} new message{plural}")
        y = self._theme.px(10) * (1 if rely == 0 else -1)
        pill.place(relx=0.5, rely=rely, y=y, anchor=anchor)  # type: ignore[arg-type]
        pill.lift()

    def _show_empty(self, empty: bool) -> None:
        if empty:
            self.empty.place(relx=0.5, rely=0.5, anchor="center")
        else:
            self.empty.place_forget()

"""The side: who one is, how the connection is, and the conversations there are."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk

from chatd.client.link import Phase
from chatd.clients.chat_tk.entries import entry
from chatd.clients.chat_tk.side_list import SideItem, matching
from chatd.clients.chat_tk.side_rows import SideRows
from chatd.clients.chat_tk.theme import Theme

_WIDTH = 236  # pixels at 96 dots an inch
_HINT = "Find or go to…   Ctrl+K"


class Sidebar(ttk.Frame):
    """Conversations by a click, by the arrow keys, or by their names in the field."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        name: str,
        *,
        on_settings: Callable[[], None],
        on_choose: Callable[[str], None],
        on_join: Callable[[str], bool],
        on_menu: Callable[[SideItem, int, int], None],
        on_leave: Callable[[], None],
    ) -> None:
        """`on_leave`: the reader is done here, and goes on writing."""
        px = theme.px
        super().__init__(parent, width=px(_WIDTH))
        self._theme, self._own_name = theme, name
        self._phase, self._status = Phase.STOPPED, "Offline"
        self._on_choose, self._on_join = on_choose, on_join
        self._on_leave = on_leave
        self.items: list[SideItem] = []
        self.grid_propagate(False)
        self.columnconfigure(0, weight=1)
        self.rowconfigure(2, weight=1)
        top = ttk.Frame(self, padding=(px(14), px(12), px(8), px(8)))
        top.columnconfigure(1, weight=1)
        self._face = ttk.Label(top)
        self._who = ttk.Label(top, style="Bold.TLabel", width=1)
        self.status = ttk.Label(top, style="Soft.TLabel", compound="left")
        self.gear = ttk.Button(top, style="GhostPanel.TButton", command=on_settings)
        self._face.grid(row=0, column=0, rowspan=2, padx=(0, px(10)))
        self._who.grid(row=0, column=1, sticky="ew")
        self.status.grid(row=1, column=1, sticky="w")
        self.gear.grid(row=0, column=2, rowspan=2)
        top.grid(row=0, column=0, sticky="ew")
        self.value = tk.StringVar(self)
        self.field = entry(self, self.value)
        self.field.grid(row=1, column=0, sticky="ew", padx=px(10), pady=(0, px(4)))
        self._hint = ttk.Label(self.field, style="Hint.TLabel", text=_HINT)
        self._hint.bind("<Button-1>", lambda event: self.field.focus_set())
        self.rows = SideRows(self, theme, self._chosen, on_menu)
        self.rows.grid(row=2, column=0, sticky="nsew")
        self.value.trace_add("write", lambda *_: self._typed())
        self.field.bind("<Return>", self._entered)
        self.field.bind("<Escape>", self._escaped)
        self.field.bind("<Down>", lambda event: self.rows.step(1))
        self.field.bind("<Up>", lambda event: self.rows.step(-1))
        self.rows.bind("<Escape>", self._escaped)
        self._who.bind("<Configure>", lambda event: self._fit())
        self.restyle()
        self._typed()

    def restyle(self) -> None:
        """Take the theme's colours."""
        p = self._theme.palette
        self._face.configure(image=self._theme.face(self._own_name, 34))
        self.gear.configure(image=self._theme.icon("gear", p.soft, 18))
        self.show_status(self._phase, self._status)
        self.rows.draw()

    def show_name(self, name: str) -> None:
        """The person is called so."""
        if name != self._own_name:
            self._own_name = name
            self._face.configure(image=self._theme.face(name, 34))
            self._fit()

    def show_status(self, phase: Phase, text: str) -> None:
        """A coloured dot and two words."""
        self._phase, self._status = phase, text
        p = self._theme.palette
        match phase:
            case Phase.ONLINE:
                colour = p.good
            case Phase.CONNECTING:
                colour = p.warn
            case _:
                colour = p.bad
        self.status.configure(text=f" {text}", image=self._theme.dot(colour))

    def show(self, items: Sequence[SideItem]) -> None:
        """List these conversations."""
        if list(items) != self.items:
            self.items = list(items)
            self.rows.show(matching(self.items, self.value.get()))

    def find(self) -> None:
        """Let the reader type where to go."""
        self.field.focus_set()
        self.field.selection_range(0, "end")

    def _fit(self) -> None:
        """The name, cut to its place with an ellipsis."""
        font, text = self._theme.fonts["bold"], self._own_name
        room = self._who.winfo_width()
        while len(text) > 1 and font.measure(text + "…") > room:
            text = text[:-1]
        cut = font.measure(self._own_name) > room
        self._who.configure(text=text + "…" if cut else self._own_name)

    def _typed(self) -> None:
        text = self.value.get()
        if text:
            self._hint.place_forget()
        else:
            px = self._theme.px
            self._hint.place(x=px(9), rely=0.5, anchor="w")
        self.rows.show(matching(self.items, text), first=bool(text.strip()))

    def _entered(self, event: object) -> str:
        """To what is pointed at; to a new room or person where nothing fits."""
        text = self.value.get()
        marked = self.rows.marked
        named = text.strip().lower()
        exact = marked is not None and marked.label.lower() == named
        if marked is not None and (exact or not named.startswith(("#", "@"))):
            self._chosen(marked.room)
        elif self._on_join(text):
            self._done()
        return "break"

    def _chosen(self, room: str) -> None:
        self._on_choose(room)
        self._done()

    def _done(self) -> None:
        self.value.set("")
        self._on_leave()

    def _escaped(self, event: object) -> str:
        self._done()
        return "break"

"""The side: who one is, how the connection is, and the conversations there are."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from chatd.client.link import Phase
from chatd.clients.chat_tk.presenter import SERVER
from chatd.clients.chat_tk.theme import Theme

_WIDTH = 236  # pixels at 96 dots an inch
_ROW = 32


class Sidebar(ttk.Frame):
    """Shows the one conversation that the plain dialect has: the server."""

    def __init__(
        self, parent: tk.Misc, theme: Theme, name: str, on_settings: Callable[[], None]
    ) -> None:
        px = theme.px
        super().__init__(parent, width=px(_WIDTH))
        self._theme, self._own_name = theme, name
        self._phase, self._status = Phase.STOPPED, "Offline"
        self.grid_propagate(False)
        self.columnconfigure(0, weight=1)
        self.rowconfigure(1, weight=1)
        top = ttk.Frame(self, padding=(px(14), px(12), px(8), px(8)))
        top.columnconfigure(1, weight=1)
        self._face = ttk.Label(top)
        self._who = ttk.Label(top, style="Bold.TLabel", width=1)
        self.status = ttk.Label(top, style="Soft.TLabel", compound="left")
        self.gear = ttk.Button(
            top, style="GhostPanel.TButton", command=on_settings, takefocus=False
        )
        self._face.grid(row=0, column=0, rowspan=2, padx=(0, px(10)))
        self._who.grid(row=0, column=1, sticky="ew")
        self.status.grid(row=1, column=1, sticky="w")
        self.gear.grid(row=0, column=2, rowspan=2)
        top.grid(row=0, column=0, sticky="ew")
        self._rows = tk.Canvas(
            self, highlightthickness=0, borderwidth=0, takefocus=False
        )
        self._rows.grid(row=1, column=0, sticky="nsew")
        self._rows.bind("<Configure>", lambda event: self._draw())
        self._who.bind("<Configure>", lambda event: self._fit())
        self.restyle()

    def restyle(self) -> None:
        """Take the theme's colours."""
        p = self._theme.palette
        self._face.configure(image=self._theme.face(self._own_name, 34))
        self.gear.configure(image=self._theme.icon("gear", p.soft, 18))
        self.show_status(self._phase, self._status)
        self._draw()

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

    def _fit(self) -> None:
        """The name, cut to its place with an ellipsis."""
        font, text = self._theme.fonts["bold"], self._own_name
        room = self._who.winfo_width()
        while len(text) > 1 and font.measure(text + "…") > room:
            text = text[:-1]
        cut = font.measure(self._own_name) > room
        self._who.configure(text=text + "…" if cut else self._own_name)

    def _draw(self) -> None:
        theme, p, px, rows = (
            self._theme,
            self._theme.palette,
            self._theme.px,
            self._rows,
        )
        rows.delete("all")
        rows.configure(background=p.panel)
        width = max(rows.winfo_width(), px(120))
        rows.create_text(
            px(18),
            px(16),
            text="CONVERSATIONS",
            anchor="w",
            font=theme.fonts["smallbold"],
            fill=p.soft,
        )
        top = px(30)
        back = theme.box(width - px(16), px(_ROW), px(7), p.select, on=p.panel)
        rows.create_image(px(8), top, anchor="nw", image=back)
        middle = top + px(_ROW) // 2
        rows.create_image(px(28), middle, image=theme.icon("server", p.text, 15))
        rows.create_text(
            px(46),
            middle,
            text=SERVER,
            anchor="w",
            font=theme.fonts["bold"],
            fill=p.text,
        )

"""The side: who one is, how the connection is, and the conversations there are."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterator, Sequence
from tkinter import ttk

from chatd.client.link import Phase
from chatd.clients.chat_tk.side_list import SideItem
from chatd.clients.chat_tk.theme import Theme

_WIDTH = 236  # pixels at 96 dots an inch
_ROW = 32
_HEADING = 30
_HEADINGS = {"server": "CONVERSATIONS", "room": "ROOMS", "person": "PEOPLE"}


class Sidebar(ttk.Frame):
    """Conversations by a click, or by their names in the field below."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        name: str,
        *,
        on_settings: Callable[[], None],
        on_choose: Callable[[str], None],
        on_join: Callable[[str], bool],
    ) -> None:
        px = theme.px
        super().__init__(parent, width=px(_WIDTH))
        self._theme, self._own_name = theme, name
        self._phase, self._status = Phase.STOPPED, "Offline"
        self._on_choose, self._on_join = on_choose, on_join
        self.items: list[SideItem] = []
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
        self._rows.bind("<Button-1>", self._clicked)
        self._rows.bind("<MouseWheel>", self._wheeled)
        for button, way in (("<Button-4>", -1), ("<Button-5>", 1)):
            self._rows.bind(button, lambda event, way=way: self._scroll(way))  # type: ignore[misc]
        self.field = ttk.Entry(
            self,
            validate="key",
            validatecommand=(self.register(_can_be_edited), "%P"),
        )
        self.field.grid(row=3, column=0, sticky="ew", padx=px(12), pady=(px(2), px(12)))
        hint = ttk.Label(self, style="Soft.TLabel", text="Go to #room or @person")
        hint.grid(row=2, column=0, sticky="w", padx=px(14), pady=(px(6), 0))
        self.field.bind("<Return>", self._entered)
        self._who.bind("<Configure>", lambda event: self._fit())
        self.restyle()

    def restyle(self) -> None:
        """Take the theme's colours."""
        p = self._theme.palette
        self._face.configure(image=self._theme.face(self._own_name, 34))
        self.gear.configure(image=self._theme.icon("gear", p.soft, 18))
        self.show_status(self._phase, self._status)
        self._draw()

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

    def _fit(self) -> None:
        """The name, cut to its place with an ellipsis."""
        font, text = self._theme.fonts["bold"], self._own_name
        room = self._who.winfo_width()
        while len(text) > 1 and font.measure(text + "…") > room:
            text = text[:-1]
        cut = font.measure(self._own_name) > room
        self._who.configure(text=text + "…" if cut else self._own_name)

    def show(self, items: Sequence[SideItem]) -> None:
        """List these conversations."""
        if list(items) != self.items:
            self.items = list(items)
            self._draw()

    def _entered(self, event: object) -> str:
        if self._on_join(self.field.get()):
            self.field.delete(0, "end")
        return "break"

    def _clicked(self, event: tk.Event[tk.Canvas]) -> None:
        y = self._rows.canvasy(event.y)
        for top, item in self._places():
            if top <= y < top + self._theme.px(_ROW):
                self._on_choose(item.room)

    def _wheeled(self, event: tk.Event[tk.Canvas]) -> None:
        self._scroll(-1 if event.delta > 0 else 1)

    def _scroll(self, way: int) -> None:
        if self._rows.bbox("all")[3] > self._rows.winfo_height():
            self._rows.yview_scroll(way * 2, "units")

    def _places(self) -> Iterator[tuple[int, SideItem]]:
        """Where each conversation stands: its upper edge."""
        px = self._theme.px
        top = px(30)
        kind = ""
        for item in self.items:
            if item.kind != kind and kind:
                top += px(_HEADING)
            kind = item.kind
            yield top, item
            top += px(_ROW)

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
        kind = ""
        for top, item in self._places():
            if item.kind != kind:
                kind = item.kind
                rows.create_text(
                    px(18),
                    top - px(14),
                    text=_HEADINGS[kind],
                    anchor="w",
                    font=theme.fonts["smallbold"],
                    fill=p.soft,
                )
            self._draw_item(top, width, item)
        box = rows.bbox("all") or (0, 0, 0, 0)
        rows.configure(scrollregion=(0, 0, width, box[3] + px(8)))

    def _draw_item(self, top: int, width: int, item: SideItem) -> None:
        theme, p, px, rows = (
            self._theme,
            self._theme.palette,
            self._theme.px,
            self._rows,
        )
        middle = top + px(_ROW) // 2
        ground = p.panel
        if item.chosen:
            ground = p.select
            back = theme.box(width - px(16), px(_ROW), px(7), p.select, on=p.panel)
            rows.create_image(px(8), top, anchor="nw", image=back)
        if item.kind == "server":
            rows.create_image(px(28), middle, image=theme.icon("server", p.text, 15))
        elif item.kind == "person":
            face = theme.face(item.label, 20)
            rows.create_image(px(28), middle, image=face)
            dot = theme.dot(p.good if item.online else p.soft)
            rows.create_image(px(36), middle + px(7), image=dot)
        bold = item.chosen or item.unread
        rows.create_text(
            px(46) if item.kind != "room" else px(22),
            middle,
            text=item.label,
            anchor="w",
            font=theme.fonts["bold" if bold else "ui"],
            fill=p.text if bold or item.online else p.soft,
        )
        if item.unread:
            text = str(item.unread) if item.unread < 100 else "99+"
            rows.create_text(
                width - px(20),
                middle,
                text=text,
                anchor="e",
                font=theme.fonts["smallbold"],
                fill=p.link if ground == p.panel else p.text,
            )


def _can_be_edited(text: str) -> bool:
    """ttk.Entry leaves halves of characters from U+10000 up."""
    return all(c < "\U00010000" for c in text)

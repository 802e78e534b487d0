"""The list of conversations, drawn on a canvas: hundreds cost as little as ten."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterator, Sequence

from chatd.clients.chat_tk.side_list import SideItem
from chatd.clients.chat_tk.theme import Theme

_ROW = 32  # pixels at 96 dots an inch
_HEADING = 30
_HEADINGS = {"server": "CONVERSATIONS", "room": "ROOMS", "person": "PEOPLE"}


class SideRows(tk.Canvas):
    """One of the rows may be marked, by the keys, before it is chosen."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        on_choose: Callable[[str], None],
        on_menu: Callable[[SideItem, int, int], None],
    ) -> None:
        super().__init__(parent, highlightthickness=0, borderwidth=0, takefocus=True)
        self._theme, self._on_choose, self._on_menu = theme, on_choose, on_menu
        self.items: list[SideItem] = []
        self._marked: str | None = None  # its room
        self._marks_first = False
        self.bind("<Configure>", lambda event: self.draw())
        self.bind("<Button-1>", self._clicked)
        self.bind("<Button-3>", self._menu_wanted)
        self.bind("<Menu>", self._menu_asked)
        self.bind("<Down>", lambda event: self.step(1))
        self.bind("<Up>", lambda event: self.step(-1))
        self.bind("<Return>", lambda event: self._choose_marked())
        self.bind("<space>", lambda event: self._choose_marked())
        self.bind("<FocusIn>", lambda event: self.draw())
        self.bind("<FocusOut>", lambda event: self.draw())
        self.bind("<MouseWheel>", self._wheeled)
        self.bind("<Button-4>", lambda event: self._scroll(-1))
        self.bind("<Button-5>", lambda event: self._scroll(1))

    @property
    def marked(self) -> SideItem | None:
        return next((each for each in self.items if each.room == self._marked), None)

    def show(self, items: Sequence[SideItem], first: bool = False) -> None:
        """List these; `first`: mark the first of them."""
        self.items, self._marks_first = list(items), first
        if first and items:
            self._marked = items[0].room
        elif self.marked is None or not first:
            self._marked = next((each.room for each in items if each.chosen), None)
        self.draw()

    def step(self, way: int) -> str:
        """Mark the one above (-1) or below (1)."""
        if self.items:
            rooms = [each.room for each in self.items]
            at = rooms.index(self._marked) + way if self._marked in rooms else 0
            self._marked = rooms[at % len(rooms)]
            self.draw()
            self._see()
        return "break"

    def draw(self) -> None:
        """Draw all anew."""
        theme, p, px = self._theme, self._theme.palette, self._theme.px
        self.delete("all")
        self.configure(background=p.panel)
        width = max(self.winfo_width(), px(120))
        kind = ""
        for top, item in self._places():
            if item.kind != kind:
                kind = item.kind
                self.create_text(
                    px(18),
                    top - px(14),
                    text=_HEADINGS[kind],
                    anchor="w",
                    font=theme.fonts["smallbold"],
                    fill=p.soft,
                )
            self._draw_item(top, width, item)
        if not self.items and self._marks_first:
            self.create_text(
                px(18),
                px(20),
                text="Enter: go there",
                anchor="w",
                font=theme.fonts["small"],
                fill=p.soft,
            )
        box = self.bbox("all") or (0, 0, 0, 0)
        self.configure(scrollregion=(0, 0, width, box[3] + px(8)))

    def _draw_item(self, top: int, width: int, item: SideItem) -> None:
        theme, p, px = self._theme, self._theme.palette, self._theme.px
        middle = top + px(_ROW) // 2
        marked = item.room == self._marked and (self._has_keys() or not item.chosen)
        if item.chosen or marked:
            fill = p.select if item.chosen else p.hover
            ring = p.accent if marked and self._has_keys() else None
            size = width - px(16), px(_ROW)
            back = theme.box(*size, px(7), fill, ring, on=p.panel)
            self.create_image(px(8), top, anchor="nw", image=back)
        called = bool(item.unread) and not item.quiet
        bold = item.chosen or called
        ink = p.text if bold or item.online else p.soft
        match item.kind:
            case "server":
                icon = theme.icon("server", p.text, 15)
            case "room":
                icon = theme.icon("hash", ink, 14)
            case _:
                icon = theme.face(item.label, 20)
        self.create_image(px(28), middle, image=icon)
        if item.kind == "person":
            dot = theme.dot(p.good if item.online else p.decor)
            self.create_image(px(36), middle + px(7), image=dot)
        right = width - px(20)
        if item.unread:
            right = self._draw_badge(right, middle, item) - px(6)
        font = theme.fonts["bold" if bold else "ui"]
        label = item.label.removeprefix("#")
        while len(label) > 1 and font.measure(label) > right - px(46):
            label = label[:-2] + "…"
        self.create_text(px(46), middle, text=label, anchor="w", font=font, fill=ink)

    def _draw_badge(self, right: int, middle: int, item: SideItem) -> int:
        """Its left edge. What calls the reader is told apart by colour and sign."""
        theme, p, px = self._theme, self._theme.palette, self._theme.px
        count = item.calls if item.kind == "room" and item.calls else item.unread
        text = str(count) if count < 100 else "99+"
        if item.calls and item.kind == "room":
            text = f"@{text}"
        calls = bool(item.calls)
        font = theme.fonts["smallbold"]
        wide = max(px(19), font.measure(text) + px(11))
        fill = p.accent if calls else p.badge
        ground = p.select if item.chosen else p.panel
        box = theme.box(wide, px(18), px(8), fill, on=ground)
        self.create_image(right, middle, anchor="e", image=box)
        ink = p.accent_text if calls else p.text
        self.create_text(right - wide / 2, middle, text=text, font=font, fill=ink)
        return right - wide

    def _has_keys(self) -> bool:
        return self.focus_displayof() is self

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

    def _item_at(self, y: int) -> SideItem | None:
        at = self.canvasy(y)
        for top, item in self._places():
            if top <= at < top + self._theme.px(_ROW):
                return item
        return None

    def _clicked(self, event: tk.Event[tk.Canvas]) -> None:
        if item := self._item_at(event.y):
            self._on_choose(item.room)

    def _choose_marked(self) -> str:
        if item := self.marked:
            self._on_choose(item.room)
        return "break"

    def _menu_wanted(self, event: tk.Event[tk.Canvas]) -> None:
        if item := self._item_at(event.y):
            self._on_menu(item, event.x_root, event.y_root)

    def _menu_asked(self, event: tk.Event[tk.Canvas]) -> None:
        for top, item in self._places():
            if item.room == self._marked:
                y = self.winfo_rooty() + top - int(self.canvasy(0))
                self._on_menu(item, self.winfo_rootx() + self._theme.px(46), y)

    def _see(self) -> None:
        """Bring the marked one into view."""
        bottom = (self.bbox("all") or (0, 0, 0, 1))[3]
        for top, item in self._places():
            if item.room == self._marked:
                high = self._theme.px(_ROW)
                first = self.canvasy(0)
                if top < first:
                    self.yview_moveto(max(0, top - high) / bottom)
                elif top + high > first + self.winfo_height():
                    self.yview_moveto((top + high - self.winfo_height()) / bottom)

    def _wheeled(self, event: tk.Event[tk.Canvas]) -> None:
        self._scroll(-1 if event.delta > 0 else 1)

    def _scroll(self, way: int) -> None:
        if (self.bbox("all") or (0, 0, 0, 0))[3] > self.winfo_height():
            self.yview_scroll(way * 2, "units")

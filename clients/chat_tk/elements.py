"""The ttk elements of a theme: 9-patch pictures in all their states.

Their middles are opaque and wide: ttk tiles the middle, each tile is a request to the X
server, and a tile with alpha is read back from the screen first.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Hashable
from tkinter import ttk
from typing import Protocol

from chatd.clients.chat_tk import raster
from chatd.clients.chat_tk.palette import Palette
from chatd.clients.chat_tk.raster import mix

_MIDDLE = 96  # pixels; see above

Look = tuple[str, str]  # fill and line
State = tuple[str, str, str]  # ttk state, fill, line


class Pictures(Protocol):
    """What is asked of the theme."""

    @property
    def palette(self) -> Palette:
        """The colours in use."""

    def px(self, value: float) -> int:
        """Screen pixels for pixels at 96 dots an inch."""

    def picture(self, key: Hashable, draw: raster.Draw) -> tk.PhotoImage:
        """The picture of that key, drawn once."""

    def box(
        self,
        width: int,
        height: int,
        radius: int,
        fill: str,
        line: str | None = None,
        on: str | None = None,
    ) -> tk.PhotoImage:
        """A rounded box."""


def create(theme: Pictures, style: ttk.Style) -> None:
    """Create the elements in the ttk theme that is in use."""
    p = theme.palette
    pressed = mix(p.hover, p.text, 0.07)
    _boxed(
        theme,
        style,
        "Chat.button",
        p.panel,
        (p.raised, p.line),
        ("disabled", p.panel, p.line),
        ("pressed", pressed, p.line),
        ("active", p.hover, p.line),
        ("focus", p.raised, p.accent),
        pad=(14, 6),
    )
    dim = mix(p.accent, p.panel, 0.55)
    down, up = mix(p.accent, "#000000", 0.18), mix(p.accent, "#000000", 0.09)
    for name, on in (("Chat.accent", p.panel), ("Chat.pill", p.bg)):
        _boxed(
            theme,
            style,
            name,
            on,
            (p.accent, p.accent),
            ("disabled", dim, dim),
            ("pressed", down, down),
            ("active", up, up),
            ("focus", p.accent, mix(p.accent, p.text, 0.6)),
            pad=(14, 6),
        )
    for name, on in (("Chat.ghost", p.bg), ("Chat.ghostpanel", p.panel)):
        _boxed(
            theme,
            style,
            name,
            on,
            (on, on),
            ("pressed", pressed, pressed),
            ("active", p.hover, p.hover),
            ("focus", on, p.accent),
            pad=(6, 5),
        )
    for kind, on, ink in (("warn", p.warn_bg, p.warn), ("bad", p.bad_bg, p.bad)):
        edge = mix(on, ink, 0.45)
        _boxed(
            theme,
            style,
            f"Chat.{kind}",
            on,
            (on, edge),
            ("focus", on, ink),
            ("active", on, ink),
            pad=(10, 3),
        )
    for name, on in (("Chat.field", p.panel), ("Chat.listfield", p.bg)):
        _boxed(
            theme,
            style,
            name,
            on,
            (p.field, p.line),
            ("disabled", p.panel, p.line),
            ("invalid", p.field, p.bad),
            ("focus", p.field, p.accent),
            pad=(9, 6),
        )
    _thumb(theme, style)
    _indicators(theme, style)


def _boxed(
    theme: Pictures,
    style: ttk.Style,
    name: str,
    on: str,
    normal: Look,
    *states: State,
    pad: tuple[int, int],
) -> None:
    """An element of rounded boxes on the ground `on`, the first true state's."""
    radius, border = theme.px(6), theme.px(7)

    def box(fill: str, line: str) -> tk.PhotoImage:
        wide, high = 2 * radius + _MIDDLE, 2 * radius + 24
        return theme.box(wide, high, radius, fill, line, on)

    style.element_create(
        name,
        "image",
        box(*normal),
        *((state, box(fill, line)) for state, fill, line in states),
        border=border,
        sticky="nsew",
        padding=(theme.px(pad[0]), theme.px(pad[1])),
        width=2 * border + 1,  # or the picture's own size is the least
        height=2 * border + 1,
    )


def _thumb(theme: Pictures, style: ttk.Style) -> None:
    """The scroll bar: a thin pill on the list's ground."""
    p, wide, gap = theme.palette, theme.px(7), theme.px(2)

    def thumb(fill: str) -> tk.PhotoImage:
        width, height = wide + 2 * gap, 2 * wide + 3
        pill = raster.rounded(gap, 0.5, gap + wide, height - 0.5, wide / 2)

        def draw() -> bytes:
            rows = raster.paint(width, height, [(pill, fill)])
            rows = raster.stretch(rows, width, height + 64)
            return raster.encode(raster.ground(rows, p.bg))

        return theme.picture(("thumb", wide, fill, p.bg), draw)

    style.element_create(
        "Chat.thumb",
        "image",
        thumb(mix(p.bg, p.decor, 0.45)),
        ("disabled", thumb(p.bg)),
        ("pressed", thumb(p.soft)),
        ("active", thumb(p.decor)),
        border=(0, wide, 0, wide),
        sticky="ns",
        height=theme.px(28),
    )


def _indicators(theme: Pictures, style: ttk.Style) -> None:
    """What a choice and a switch show before their words."""
    p, px = theme.palette, theme.px(16)
    gap, middle, line = theme.px(7), px / 2, max(1.0, px * 0.08)

    def picture(kind: str, chosen: bool, focus: bool) -> tk.PhotoImage:
        def draw() -> bytes:
            edge = p.accent if chosen or focus else p.decor
            if kind == "radio":
                layers = [
                    (raster.disc(middle, middle, middle - 1), edge),
                    (raster.disc(middle, middle, middle - 1 - line), p.field),
                ]
                if chosen:
                    layers.append((raster.disc(middle, middle, middle * 0.5), p.accent))
            else:
                box = raster.rounded(1, 1, px - 1, px - 1, px * 0.25)
                inner = 1 + line
                hole = raster.rounded(inner, inner, px - inner, px - inner, px * 0.2)
                points = [(px * 0.26, px * 0.53), (px * 0.44, px * 0.7)]
                points.append((px * 0.75, px * 0.33))
                tick = raster.stroke(points, px * 0.13)
                layers = [(box, edge)]
                layers.append((tick, p.accent_text) if chosen else (hole, p.field))
            rows = raster.paint(px + gap, px, layers)
            return raster.encode(raster.ground(rows, p.panel))

        key = ("indicator", kind, chosen, focus, p.name, px)
        return theme.picture(key, draw)

    for kind in ("radio", "check"):
        style.element_create(
            f"Chat.{kind}",
            "image",
            picture(kind, False, False),
            ("selected", picture(kind, True, False)),
            ("focus", picture(kind, False, True)),
            width=px + gap,
            height=px,
            sticky="w",
        )

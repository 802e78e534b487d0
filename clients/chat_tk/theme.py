"""Fonts, pictures and the ttk themes "chat-light" and "chat-dark" at any scale."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Hashable
from tkinter import font as tkfont
from tkinter import ttk

from chatd.clients.chat_tk import elements, faces, icons, raster, styles
from chatd.clients.chat_tk.palette import PALETTES, Palette, person_colour
from chatd.clients.chat_tk.preferences import DEFAULT_SIZE
from chatd.clients.chat_tk.rows import initials

_UI_FONTS = (
    "Inter",
    "Segoe UI Variable Text",
    "Segoe UI",
    "SF Pro Text",
    "Cantarell",
    "Ubuntu",
    "Noto Sans",
    "Roboto",
    "DejaVu Sans",
)
_CODE_FONTS = (
    "JetBrains Mono",
    "Cascadia Mono",
    "Consolas",
    "SF Mono",
    "Menlo",
    "Noto Sans Mono",
    "DejaVu Sans Mono",
)


class Theme:
    """`use` switches light and dark at run time; pictures are drawn once."""

    def __init__(self, root: tk.Tk, scale: float) -> None:
        self.root, self.scale = root, scale
        self.palette: Palette = PALETTES["light"]
        self._pictures: dict[Hashable, tk.PhotoImage] = {}
        self._made: set[str] = set()
        root.tk.call("tk", "scaling", scale * 96 / 72)
        have = set(tkfont.families(root))
        ui = _first(_UI_FONTS, have) or _family(root, "TkDefaultFont")
        code = _first(_CODE_FONTS, have) or _family(root, "TkFixedFont")

        def font(
            name: str,
            family: str = ui,
            step: int = 0,
            bold: bool = False,
        ) -> tkfont.Font:
            return tkfont.Font(
                root,
                family=family,
                size=DEFAULT_SIZE + step,
                weight="bold" if bold else "normal",
                name=name,
            )

        self.fonts = {
            "ui": font("ChatUi"),
            "bold": font("ChatBold", bold=True),
            "small": font("ChatSmall", step=-2),
            "smallbold": font("ChatSmallBold", step=-2, bold=True),
            "title": font("ChatTitle", step=3, bold=True),
            "code": font("ChatCode", code),
        }
        for name in ("TkDefaultFont", "TkTextFont", "TkMenuFont"):
            tkfont.nametofont(name, root).configure(family=ui, size=DEFAULT_SIZE)
        self.size = DEFAULT_SIZE

    def set_size(self, points: int) -> None:
        """Write all in this size, from now on."""
        by, self.size = points - self.size, points
        for each in self.fonts.values():
            each.configure(size=each.cget("size") + by)
        for name in ("TkDefaultFont", "TkTextFont", "TkMenuFont"):
            tkfont.nametofont(name, self.root).configure(size=points)

    def px(self, value: float) -> int:
        """Pixels of the screen for `value` pixels at 96 dots an inch; at least 1."""
        return max(1, round(value * self.scale))

    def use(self, name: str) -> None:
        """Show all in the palette `name`, "light" or "dark"."""
        self.palette = PALETTES[name]
        style = ttk.Style(self.root)
        theme = f"chat-{name}"
        if theme not in self._made:
            self._made.add(theme)
            style.theme_create(theme, parent="clam")
            style.theme_use(theme)
            elements.create(self, style)
        style.theme_use(theme)
        styles.configure(style, self.palette, self.fonts, self.px)
        self.root.configure(background=self.palette.panel)

    # -- pictures

    def picture(self, key: Hashable, draw: Callable[[], bytes]) -> tk.PhotoImage:
        """The picture of that key, drawn as a PNG the first time."""
        if key not in self._pictures:
            self._pictures[key] = tk.PhotoImage(
                master=self.root, data=draw(), format="png"
            )
        return self._pictures[key]

    def icon(self, name: str, colour: str, size: float = 16) -> tk.PhotoImage:
        """One of icons.ICONS."""
        px = self.px(size)
        return self.picture(
            ("icon", name, colour, px), lambda: icons.icon(name, px, colour)
        )

    def dot(self, colour: str, size: float = 8) -> tk.PhotoImage:
        """A full circle."""
        px = self.px(size)
        layer = (raster.disc(px / 2, px / 2, px / 2 - 0.5), colour)
        return self.picture(("dot", colour, px), lambda: raster.png(px, px, [layer]))

    def face(self, name: str, size: float, *, server: bool = False) -> tk.PhotoImage:
        """The round face of a person, or of the server."""
        p, px = self.palette, self.px(size)
        ink = p.bg if p.dark else "#ffffff"

        def draw() -> bytes:
            if not server:
                return faces.face(px, initials(name), person_colour(p, name), ink)
            inner = [
                (_moved(shape(px * 0.58), px * 0.21), ink)
                for shape in icons.ICONS["server"]
            ]
            disc = raster.disc(px / 2, px / 2, px / 2 - 0.4)
            return raster.png(px, px, [(disc, person_colour(p, name)), *inner])

        return self.picture(("face", name, server, p.name, px), draw)

    def box(
        self,
        width: int,
        height: int,
        radius: int,
        fill: str,
        line: str | None = None,
        on: str | None = None,
    ) -> tk.PhotoImage:
        """A rounded box. Only its corners are computed; `on` is an opaque ground."""

        def draw() -> bytes:
            size = 2 * radius + 3
            outer = raster.rounded(0.5, 0.5, size - 0.5, size - 0.5, radius)
            layers = [(outer, line or fill)]
            if line is not None:
                b = 0.5 + max(1.0, self.scale)
                inner = raster.rounded(b, b, size - b, size - b, max(0.0, radius - b))
                layers.append((inner, fill))
            rows = raster.paint(size, size, layers)
            rows = raster.stretch(rows, max(size, width), max(size, height))
            return raster.encode(raster.ground(rows, on) if on else rows)

        return self.picture(("box", width, height, radius, fill, line, on), draw)

    def menu(self, menu: tk.Menu) -> None:
        """Menus are plain Tk: colour one."""
        p = self.palette
        menu.configure(
            background=p.raised,
            foreground=p.text,
            activebackground=p.select,
            activeforeground=p.text,
            disabledforeground=p.soft,
            selectcolor=p.text,
            borderwidth=1,
            relief="flat",
            activeborderwidth=self.px(3),
            font=self.fonts["ui"],
        )


def _moved(shape: raster.Sdf, by: float) -> raster.Sdf:
    return lambda x, y: shape(x - by, y - by)


def _first(wanted: tuple[str, ...], have: set[str]) -> str:
    return next((family for family in wanted if family in have), "")


def _family(root: tk.Tk, name: str) -> str:
    return str(tkfont.nametofont(name, root).actual("family"))

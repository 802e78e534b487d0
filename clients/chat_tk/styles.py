"""The ttk styles of a theme: which elements, colours and fonts each widget has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from tkinter import font as tkfont
from tkinter import ttk
from typing import TYPE_CHECKING

from chatd.clients.chat_tk.palette import Palette
from chatd.clients.chat_tk.raster import mix

if TYPE_CHECKING:
    from tkinter.ttk import _Layout as Layout  # named by typeshed alone

Fonts = Mapping[str, tkfont.Font]


def configure(
    style: ttk.Style, p: Palette, fonts: Fonts, px: Callable[[float], int]
) -> None:
    """Set all styles in the ttk theme that is in use."""
    style.configure(
        ".",
        background=p.panel,
        foreground=p.text,
        font=fonts["ui"],
        bordercolor=p.line,
        lightcolor=p.line,
        darkcolor=p.line,
        troughcolor=p.panel,
        focuscolor=p.accent,
        selectbackground=p.mark,
        selectforeground=p.text,
        insertcolor=p.text,
        fieldbackground=p.field,
    )
    style.map(".", foreground=[("disabled", p.soft)])
    _frames(style, p)
    _labels(style, p, fonts)
    _buttons(style, p, fonts)
    _choices(style, p, fonts)
    _fields(style, p, px)
    _scroll_bar(style, p)


def _frames(style: ttk.Style, p: Palette) -> None:
    for name, ground in (
        ("TFrame", p.panel),
        ("List.TFrame", p.bg),
        ("Line.TFrame", p.line),
        ("Warn.TFrame", p.warn_bg),
        ("Bad.TFrame", p.bad_bg),
    ):
        style.configure(name, background=ground)
    style.layout("Composer.TFrame", [("Chat.listfield", {"sticky": "nsew"})])
    style.configure("Composer.TFrame", background=p.bg)


def _labels(style: ttk.Style, p: Palette, fonts: Fonts) -> None:
    for name, ground, ink, font in (
        ("TLabel", p.panel, p.text, "ui"),
        ("List.TLabel", p.bg, p.text, "ui"),
        ("Title.TLabel", p.bg, p.text, "title"),
        ("Topic.TLabel", p.bg, p.soft, "small"),
        ("Empty.TLabel", p.bg, p.soft, "ui"),
        ("Soft.TLabel", p.panel, p.soft, "small"),
        ("Hint.TLabel", p.field, p.soft, "ui"),
        ("Editing.TLabel", p.field, p.soft, "small"),
        ("Key.TLabel", p.panel, p.text, "smallbold"),
        ("Head.TLabel", p.panel, p.text, "title"),
        ("Bold.TLabel", p.panel, p.text, "bold"),
        ("Note.TLabel", p.panel, p.bad, "small"),
        ("Warn.TLabel", p.warn_bg, p.warn, "ui"),
        ("Bad.TLabel", p.bad_bg, p.bad, "ui"),
        ("Small.Warn.TLabel", p.warn_bg, p.warn, "small"),
        ("Small.Bad.TLabel", p.bad_bg, p.bad, "small"),
    ):
        style.configure(name, background=ground, foreground=ink, font=fonts[font])


def _buttons(style: ttk.Style, p: Palette, fonts: Fonts) -> None:
    for name, element, ink, ground, font in (
        ("TButton", "Chat.button", p.text, p.panel, "ui"),
        ("Accent.TButton", "Chat.accent", p.accent_text, p.panel, "bold"),
        ("Pill.TButton", "Chat.pill", p.accent_text, p.bg, "smallbold"),
        ("Ghost.TButton", "Chat.ghost", p.soft, p.bg, "ui"),
        ("GhostPanel.TButton", "Chat.ghostpanel", p.soft, p.panel, "ui"),
        ("Warn.TButton", "Chat.warn", p.warn, p.warn_bg, "small"),
        ("Bad.TButton", "Chat.bad", p.bad, p.bad_bg, "small"),
    ):
        style.layout(name, _nested(element, "Button.padding", "Button.label"))
        style.configure(
            name,
            padding=0,
            foreground=ink,
            background=ground,
            anchor="center",
            font=fonts[font],
        )
        style.map(name, foreground=[("disabled", p.soft)], background=[])
    faded = mix(p.accent_text, p.accent, 0.2)
    style.map("Accent.TButton", foreground=[("disabled", faded)])
    style.layout("Send.TButton", [("Button.label", {"sticky": "nsew"})])
    style.configure("Send.TButton", background=p.field, padding=0)
    style.map("Send.TButton", background=[])


def _choices(style: ttk.Style, p: Palette, fonts: Fonts) -> None:
    for name, element in (("TRadiobutton", "radio"), ("TCheckbutton", "check")):
        label: Layout = {"side": "left", "sticky": "nsew"}
        focus: Layout = {"sticky": "nsew", "children": [("Button.label", label)]}
        parts: list[tuple[str, Layout | None]] = [
            (f"Chat.{element}", {"side": "left", "sticky": ""}),
            ("Button.focus", {**focus, "side": "left"}),
        ]
        style.layout(name, [("Button.padding", {"sticky": "nsew", "children": parts})])
        style.configure(
            name, background=p.panel, foreground=p.text, padding=2, font=fonts["ui"]
        )
        style.map(name, background=[])


def _fields(style: ttk.Style, p: Palette, px: Callable[[float], int]) -> None:
    style.layout("TEntry", _nested("Chat.field", "Entry.padding", "Entry.textarea"))
    style.configure(
        "TEntry",
        padding=0,
        foreground=p.text,
        background=p.panel,
        insertwidth=px(1.5),
    )


def _nested(outer: str, middle: str, inner: str) -> list[tuple[str, Layout | None]]:
    """Three elements, each filling the one before."""
    core: Layout = {"sticky": "nsew"}
    shell: Layout = {"sticky": "nsew", "children": [(inner, core)]}
    hull: Layout = {"sticky": "nsew", "children": [(middle, shell)]}
    return [(outer, hull)]


def _scroll_bar(style: ttk.Style, p: Palette) -> None:
    # in Tcl's words: typeshed does not know of -expand
    style.tk.call(
        *("ttk::style", "layout", "List.Vertical.TScrollbar"),
        "Vertical.Scrollbar.trough -sticky ns"
        " -children {Chat.thumb -expand 1 -sticky nsew}",
    )
    style.configure(
        "List.Vertical.TScrollbar",
        troughcolor=p.bg,
        background=p.bg,
        bordercolor=p.bg,
        lightcolor=p.bg,
        darkcolor=p.bg,
        relief="flat",
        borderwidth=0,
        troughrelief="flat",
    )

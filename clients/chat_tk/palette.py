"""Colours: pure data, "#rrggbb".

Every pair of ink and ground in use has a contrast of 4.5:1 or more (WCAG 2.1, 1.4.3);
`pairs` lists them and a test measures them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """One look. Grounds first, then inks, then what has a meaning of its own."""

    name: str
    dark: bool
    bg: str  # the message list
    panel: str  # the side, the form
    raised: str  # menus, cards, buttons
    field: str  # where one types
    line: str  # hairlines, borders; never text
    hover: str
    select: str  # the chosen conversation
    mark: str  # selected text
    text: str
    soft: str  # second text: times, hints
    decor: str  # icons and scroll bars; never text
    accent: str
    accent_text: str
    good: str
    warn: str
    bad: str
    warn_bg: str
    bad_bg: str
    link: str
    code_bg: str
    found: str  # ground of what was searched for
    badge: str  # ground of a count
    people: tuple[str, ...]


LIGHT = Palette(
    name="light",
    dark=False,
    bg="#ffffff",
    panel="#f4f5f8",
    raised="#ffffff",
    field="#ffffff",
    line="#e2e4ea",
    hover="#e9ebf0",
    select="#e1e7fb",
    mark="#cfdcff",
    text="#1b1d23",
    soft="#5c6270",
    decor="#9aa0ad",
    accent="#3d63dd",
    accent_text="#ffffff",
    good="#2b9a66",
    warn="#855000",
    bad="#bf2127",
    warn_bg="#fff3d6",
    bad_bg="#ffe8e7",
    link="#2f57d0",
    code_bg="#f1f2f6",
    found="#ffe08a",
    badge="#d3d7e0",
    people=(
        "#3d63dd",
        "#0a766d",
        "#c2410c",
        "#9333c9",
        "#b4235a",
        "#4a780e",
        "#0e7490",
        "#8a5a00",
    ),
)

DARK = Palette(
    name="dark",
    dark=True,
    bg="#17191f",
    panel="#101217",
    raised="#1e2129",
    field="#1e2129",
    line="#2b2f39",
    hover="#1c1f27",
    select="#242d4a",
    mark="#324479",
    text="#e7e9ef",
    soft="#a2a8b6",
    decor="#6c7280",
    accent="#4a69e0",
    accent_text="#ffffff",
    good="#46b883",
    warn="#f0b549",
    bad="#ff7a78",
    warn_bg="#33280f",
    bad_bg="#3a1a1c",
    link="#8fa6ff",
    code_bg="#22252e",
    found="#5c4610",
    badge="#3a3f4c",
    people=(
        "#8fa6ff",
        "#43c6b6",
        "#ff9a66",
        "#cf9bf5",
        "#ff8fb4",
        "#a3cf5f",
        "#5cc8e0",
        "#e3b95c",
    ),
)

PALETTES = {"light": LIGHT, "dark": DARK}


def pairs(p: Palette) -> Iterator[tuple[str, str]]:
    """Each ink on each ground that it is written on."""
    for ground in (p.bg, p.panel, p.raised, p.field, p.hover, p.select, p.mark):
        yield p.text, ground
    yield p.text, p.code_bg
    yield p.text, p.found
    yield p.text, p.badge
    yield p.soft, p.code_bg
    yield p.link, p.panel
    yield p.warn, p.bg
    for ground in (p.bg, p.panel, p.field, p.hover, p.raised):
        yield p.soft, ground
    yield p.link, p.bg
    yield p.bad, p.bg
    yield p.bad, p.panel
    yield p.warn, p.warn_bg
    yield p.bad, p.bad_bg
    yield p.accent_text, p.accent
    for ink in p.people:
        yield ink, p.bg


def person_colour(palette: Palette, name: str) -> str:
    """The same colour for the same name, on every run and machine."""
    value = 5381
    for byte in name.encode("utf-8", "replace"):
        value = (value * 33 + byte) & 0xFFFFFFFF
    return palette.people[value % len(palette.people)]

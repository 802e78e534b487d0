"""How the kinds of text in the message list look."""

from __future__ import annotations

import tkinter as tk

from chatd.clients.chat_tk.theme import Theme

_GUTTER = 58  # where text begins, pixels at 96 dots an inch


def configure(text: tk.Text, theme: Theme) -> None:
    """Give the tags of `text` the theme's colours, fonts and distances."""
    fonts, p, px = theme.fonts, theme.palette, theme.px
    gutter, right = px(_GUTTER), px(24)
    text.configure(
        background=p.bg,
        foreground=p.text,
        font=fonts["ui"],
        selectbackground=p.mark,
        selectforeground=p.text,
        inactiveselectbackground=p.mark,
        spacing2=px(2),
    )
    tag = text.tag_configure
    tag(
        "body",
        lmargin1=gutter,
        lmargin2=gutter,
        rmargin=right,
        spacing1=px(1),
        spacing3=px(2),
    )
    tag(
        "head",
        lmargin1=px(16),
        lmargin2=gutter,
        rmargin=right,
        spacing1=px(11),
        tabs=(gutter,),
    )
    tag("name", font=fonts["bold"])
    tag("time", font=fonts["small"], foreground=p.soft)
    for name, ink in (("day", p.soft), ("new", p.bad)):
        tag(
            name,
            font=fonts["smallbold"],
            foreground=ink,
            justify="center",
            spacing1=px(18),
            spacing3=px(4),
        )
    tag("link", foreground=p.link, underline=True)
    tag(
        "code",
        font=fonts["code"],
        background=p.code_bg,
        lmargincolor=p.bg,
        rmargincolor=p.bg,
    )
    inset = gutter + px(10)
    tag(
        "block",
        font=fonts["code"],
        background=p.code_bg,
        lmargin1=inset,
        lmargin2=inset,
        lmargincolor=p.bg,
        spacing1=px(2),
        spacing3=px(2),
        wrap="char",
    )
    tag("mention", foreground=p.link)
    tag("me", foreground=p.warn, background=p.warn_bg, font=fonts["bold"])
    tag("fold", foreground=p.link, font=fonts["small"], underline=True)
    tag("pending", foreground=p.soft)
    tag("failed", foreground=p.bad, font=fonts["small"])
    tag("act", foreground=p.bad, font=fonts["small"], underline=True)
    for n, colour in enumerate(p.people):
        tag(f"who{n}", foreground=colour)
    tag("pointed", background=p.select)
    tag("found", background=p.found, foreground=p.text)
    for name in ("pointed", "found", "sel"):
        text.tag_raise(name)

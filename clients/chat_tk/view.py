"""The window: lays the widgets out, passes gestures on, does as the presenter says."""

from __future__ import annotations

import sys
import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from tkinter import ttk

from chatd.client.link import Phase
from chatd.clients.chat_tk.banners import BannerStrip, TroubleStrip
from chatd.clients.chat_tk.composer import Composer
from chatd.clients.chat_tk.form import ConnectForm
from chatd.clients.chat_tk.link_status import Banner
from chatd.clients.chat_tk.message_list import MessageList
from chatd.clients.chat_tk.presenter import Presenter
from chatd.clients.chat_tk.side_list import SERVER, SideItem
from chatd.clients.chat_tk.sidebar import Sidebar
from chatd.clients.chat_tk.spans import Mark, Row
from chatd.clients.chat_tk.target import Place, Target
from chatd.clients.chat_tk.theme import Theme
from chatd.wire.tokens import Key

_MOD = "Command" if sys.platform == "darwin" else "Control"
NARROW = 560  # pixels at 96 dots an inch, under which the side is not shown
THEMES = (("As the system", "system"), ("Light", "light"), ("Dark", "dark"))


@dataclass(frozen=True, slots=True)
class Actions:
    """What the window asks of the program around it."""

    close: Callable[[], None]
    theme: Callable[[str], None]  # "system", "light" or "dark"
    settings: Callable[[], None]  # another server or key
    connect: Callable[[Place], None]
    browse: Callable[[], str]  # may hold up the reactor; "" for none
    open_url: Callable[[str], None]
    new_key: Callable[[], Key]
    drawable: Callable[[str], str]  # leaves out what cannot be drawn safely


class MainWindow:
    """Implements presenter.View."""

    def __init__(self, root: tk.Tk, theme: Theme, name: str, actions: Actions) -> None:
        self.root, self._theme, self._actions = root, theme, actions
        self._presenter: Presenter | None = None
        self._side_shown = True
        px = theme.px
        root.title("chat")
        root.minsize(px(400), px(320))
        root.protocol("WM_DELETE_WINDOW", actions.close)
        self.side = Sidebar(
            root,
            theme,
            name,
            on_settings=actions.settings,
            on_choose=self._choose,
            on_join=self._join,
        )
        self.edge = ttk.Frame(root, style="Line.TFrame", width=1)
        self.chat = chat = ttk.Frame(root, style="List.TFrame")
        chat.columnconfigure(0, weight=1)
        chat.rowconfigure(4, weight=1)
        self._head(chat)
        self.banner = BannerStrip(
            chat,
            theme,
            row=2,
            on_retry=self._retry_link,
            on_settings=actions.settings,
        )
        self.trouble = TroubleStrip(chat, theme, row=3)
        self.messages = MessageList(
            chat,
            theme,
            on_scroll=self._scrolled,
            on_link=actions.open_url,
            on_retry=self._retry_line,
            drawable=actions.drawable,
        )
        self.messages.grid(row=4, column=0, sticky="nsew")
        self.empty = ttk.Label(
            chat, style="Empty.TLabel", text="No messages yet. Say hello."
        )
        self.empty.place(in_=self.messages, relx=0.5, rely=0.5, anchor="center")
        self.below = ttk.Button(
            chat,
            style="Pill.TButton",
            compound="left",
            command=self._to_end,
            takefocus=False,
        )
        foot = ttk.Frame(
            chat, style="List.TFrame", padding=(px(16), px(6), px(16), px(14))
        )
        foot.columnconfigure(0, weight=1)
        self.composer = Composer(foot, theme, self._submit, actions.drawable)
        self.composer.prompt(f"Message {SERVER}")
        self.composer.grid(row=0, column=0, sticky="ew")
        foot.grid(row=5, column=0, sticky="ew")
        self.form = ConnectForm(
            root,
            theme,
            on_connect=actions.connect,
            on_cancel=self.show_chat,
            browse=actions.browse,
            connected=self._connected,
            new_key=actions.new_key,
        )
        root.columnconfigure(2, weight=1)
        root.rowconfigure(0, weight=1)
        self.side.grid(row=0, column=0, sticky="ns")
        self.edge.grid(row=0, column=1, sticky="ns")
        root.bind("<Configure>", self._resized, add=True)
        self.menu = tk.Menu(root, tearoff=False)
        self.chosen_theme = tk.StringVar(root, "system")
        self._fill_menu()
        self._keys()
        self.restyle()
        self.show_chat()

    def _head(self, chat: ttk.Frame) -> None:
        px = self._theme.px
        head = ttk.Frame(
            chat, style="List.TFrame", padding=(px(16), px(10), px(10), px(10))
        )
        head.columnconfigure(2, weight=1)
        self._icon = ttk.Label(head, style="List.TLabel")
        self.title = title = ttk.Label(head, style="Title.TLabel", text=SERVER)
        self.topic = ttk.Label(head, style="Topic.TLabel", width=1)
        self._icon.grid(row=0, column=0, padx=(0, px(6)))
        title.grid(row=0, column=1, sticky="w")
        self.topic.grid(row=0, column=2, sticky="ew", padx=(px(12), 0))
        self.theme_button = ttk.Button(
            head, style="Ghost.TButton", command=self._toggle_theme, takefocus=False
        )
        self.menu_button = ttk.Button(
            head, style="Ghost.TButton", command=self._menu_clicked, takefocus=False
        )
        self.theme_button.grid(row=0, column=3, padx=px(1))
        self.menu_button.grid(row=0, column=4, padx=px(1))
        head.grid(row=0, column=0, sticky="ew")
        line = ttk.Frame(chat, style="Line.TFrame", height=1)
        line.grid(row=1, column=0, sticky="ew")

    def bind(self, presenter: Presenter) -> None:
        """From now on gestures go to `presenter`."""
        self._presenter = presenter

    def _fill_menu(self) -> None:
        menu, actions = self.menu, self._actions
        for label, value in THEMES:
            menu.add_radiobutton(
                label=label,
                value=value,
                variable=self.chosen_theme,
                command=lambda: actions.theme(self.chosen_theme.get()),
            )
        menu.add_separator()
        menu.add_command(label="Connect to another server…", command=actions.settings)
        menu.add_separator()
        menu.add_command(label="Quit", command=actions.close)

    def _keys(self) -> None:
        close, list_text = self._actions.close, self.messages.text
        self.root.bind(f"<{_MOD}-q>", lambda event: close(), add=True)
        text = self.composer.text  # a Text has Emacs' keys: take ours first
        text.bind("<Prior>", lambda event: self.messages.scrolling.page(-1))
        text.bind("<Next>", lambda event: self.messages.scrolling.page(1))
        text.bind("<Escape>", lambda event: self._to_end())
        text.bind(f"<{_MOD}-End>", lambda event: self._to_end())
        list_text.bind(f"<{_MOD}-c>", lambda event: self._copy())
        list_text.bind("<Key>", self._type_through)

    def _type_through(self, event: tk.Event[tk.Text]) -> str | None:
        """Typing while the list has the focus goes on in the composer."""
        held = int(event.state) & 0xC  # Control, Mod1
        if not event.char or not event.char.isprintable() or held:
            return None
        self.composer.text.focus_set()
        self.composer.text.insert("insert", event.char)
        return "break"

    # -- look

    def restyle(self) -> None:
        """Take the theme's colours."""
        theme, p = self._theme, self._theme.palette
        self._icon.configure(image=theme.icon("server", p.soft, 20))
        moon = "sun" if p.dark else "moon"
        self.theme_button.configure(image=theme.icon(moon, p.soft, 18))
        self.menu_button.configure(image=theme.icon("dots", p.soft, 18))
        self.below.configure(image=theme.icon("down", p.accent_text, 13))
        theme.menu(self.menu)
        self.side.restyle()
        self.messages.restyle()
        self.composer.restyle()
        self.form.restyle()

    def _resized(self, event: tk.Event[tk.Misc]) -> None:
        """In a narrow window the conversation has all of it."""
        if event.widget is not self.root:
            return
        shown = event.width >= self._theme.px(NARROW)
        if shown != self._side_shown:
            self._side_shown = shown
            for widget in (self.side, self.edge):
                if shown:
                    widget.grid()
                else:
                    widget.grid_remove()

    # -- the two faces of the window

    def show_form(self, target: Target, *, note: str = "", cancel: bool) -> None:
        """Show the form in place of the conversation."""
        self.chat.grid_remove()
        self.form.grid(row=0, column=2, sticky="nsew")
        self.form.open(target, note=note, cancel=cancel)

    def show_chat(self) -> None:
        """Show the conversation."""
        self.form.grid_remove()
        self.chat.grid(row=0, column=2, sticky="nsew")
        self.composer.text.focus_set()

    # -- presenter.View

    def show_server(self, address: str) -> None:
        self.topic.configure(text=address)
        self.root.title(f"{address} - chat")

    def show_banner(self, banner: Banner | None) -> None:
        self.banner.show(banner)

    def show_status(self, phase: Phase, text: str) -> None:
        self.side.show_status(phase, text)

    def show_name(self, name: str) -> None:
        self.side.show_name(name)

    def show_room(self, label: str) -> None:
        self.title.configure(text=label)
        if label == SERVER:
            self._icon.grid()
        else:
            self._icon.grid_remove()
        self.composer.prompt(f"Message {label}")

    def show_side(self, items: Sequence[SideItem]) -> None:
        self.side.show(items)

    def reset_rows(self, rows: Sequence[Row], see: int | None) -> None:
        if rows:
            self.empty.place_forget()
        else:
            self.empty.place(in_=self.messages, relx=0.5, rely=0.5, anchor="center")
        self.messages.reset(rows, see)

    def append_rows(self, rows: Sequence[Row]) -> None:
        self.empty.place_forget()
        self.messages.append(rows)

    def replace_top(self, rows: Sequence[Row], through: int) -> None:
        self.messages.replace_top(rows, through)

    def set_mark(self, id: int, mark: Mark, why: str) -> None:
        self.messages.set_mark(id, mark, why)

    def show_below(self, count: int) -> None:
        if not count:
            self.below.place_forget()
            return
        plural = "" if count == 1 else "s"
        self.below.configure(text=f" {count} new message{plural}")
        y = -self._theme.px(10)
        self.below.place(in_=self.messages, relx=0.5, rely=1.0, y=y, anchor="s")
        self.below.lift()

    def show_trouble(self, text: str) -> None:
        self.trouble.show(text)

    # -- gestures

    def _submit(self, text: str) -> bool:
        taken = self._presenter is not None and self._presenter.submit(text)
        if taken:
            self._to_end()
        return taken

    def _to_end(self) -> str:
        self.messages.scrolling.to_end()
        self._scrolled(True)
        return "break"

    def _scrolled(self, at_end: bool) -> None:
        if self._presenter is None:
            return
        self._presenter.scrolled(at_end)
        if not at_end and self.messages.text.yview()[0] <= 0.0:
            self._presenter.older()

    def _choose(self, room: str) -> None:
        if self._presenter is not None:
            self._presenter.open(room)
            self.composer.text.focus_set()

    def _join(self, text: str) -> bool:
        return self._presenter is not None and self._presenter.join(text)

    def _retry_line(self, id: int) -> None:
        if self._presenter is not None:
            self._presenter.retry(id)

    def _retry_link(self) -> None:
        if self._presenter is not None:
            self._presenter.retry_now()

    def _connected(self) -> bool:
        return self._presenter is not None and self._presenter.connected

    def _toggle_theme(self) -> None:
        self.chosen_theme.set("light" if self._theme.palette.dark else "dark")
        self._actions.theme(self.chosen_theme.get())

    def _menu_clicked(self) -> None:
        button = self.menu_button
        x = button.winfo_rootx() + button.winfo_width() - self.menu.winfo_reqwidth()
        self.menu.tk_popup(x, button.winfo_rooty() + button.winfo_height())

    def _copy(self) -> str:
        if text := self.messages.selected():
            self.root.clipboard_clear()
            self.root.clipboard_append(text)
        return "break"

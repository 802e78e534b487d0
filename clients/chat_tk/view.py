"""The window: lays the widgets out, passes gestures on, does as the presenter says."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from tkinter import ttk

from chatd.client.link import Phase
from chatd.clients.chat_tk import keys_panel, preferences_panel
from chatd.clients.chat_tk.attention import RULES
from chatd.clients.chat_tk.banners import BannerStrip, TroubleStrip
from chatd.clients.chat_tk.composer import Composer
from chatd.clients.chat_tk.form import ConnectForm
from chatd.clients.chat_tk.header import Header
from chatd.clients.chat_tk.keys import MOD, SHORTCUTS
from chatd.clients.chat_tk.link_status import Banner
from chatd.clients.chat_tk.list_pane import ListPane
from chatd.clients.chat_tk.menus import Item, Menus
from chatd.clients.chat_tk.message_acts import MessageActs
from chatd.clients.chat_tk.panel import Panel
from chatd.clients.chat_tk.preferences import DEFAULT_SIZE, SIZES, Preferences
from chatd.clients.chat_tk.presenter import Presenter
from chatd.clients.chat_tk.search import SearchState
from chatd.clients.chat_tk.search_bar import SearchBar
from chatd.clients.chat_tk.side_list import SideItem
from chatd.clients.chat_tk.sidebar import Sidebar
from chatd.clients.chat_tk.target import Place, Target
from chatd.clients.chat_tk.theme import Theme
from chatd.wire.invite import Invite
from chatd.wire.tokens import Key

NARROW = 560  # pixels at 96 dots an inch, under which the side is not shown


@dataclass(frozen=True, slots=True)
class Actions:
    """What the window asks of the program around it."""

    close: Callable[[], None]
    theme: Callable[[str], None]  # "system", "light" or "dark"
    settings: Callable[[], None]  # another server or key
    connect: Callable[[Place], None]
    accept: Callable[[Invite, str], None]  # an invite, and the file for its key
    browse: Callable[[], str]  # may hold up the reactor; "" for none
    open_url: Callable[[str], None]
    new_key: Callable[[], Key]
    drawable: Callable[[str], str]  # leaves out what cannot be drawn safely
    notify: Callable[[str], None]  # by the desktop


class MainWindow:
    """Implements presenter.View."""

    presenter: Presenter  # from `bind` on, which is before the first event

    def __init__(self, root: tk.Tk, theme: Theme, name: str, actions: Actions) -> None:
        self.root, self._theme, self._actions = root, theme, actions
        self._side_shown = True
        self._address, self._count, self._label = "", 0, ""
        self._look = ""  # the preferred one that was last asked for
        self.menus = Menus(root, theme)
        self.acts = MessageActs(self, actions.open_url)
        px = theme.px
        root.minsize(px(400), px(320))
        root.protocol("WM_DELETE_WINDOW", actions.close)
        self.side = Sidebar(
            root,
            theme,
            name,
            on_settings=self.open_preferences,
            on_choose=self._choose,
            on_join=self._join,
            on_menu=self._side_menu,
            on_leave=self.to_composer,
        )
        self.edge = ttk.Frame(root, style="Line.TFrame", width=1)
        self.chat = chat = ttk.Frame(root, style="List.TFrame")
        chat.columnconfigure(0, weight=1)
        chat.rowconfigure(5, weight=1)
        self.header = Header(
            chat,
            theme,
            on_search=self._search,
            on_theme=self._toggle_theme,
            on_menu=self._main_menu,
        )
        self.header.grid(row=0, column=0, sticky="ew")
        line = ttk.Frame(chat, style="Line.TFrame", height=1)
        line.grid(row=1, column=0, sticky="ew")
        self.banner = BannerStrip(
            chat,
            theme,
            row=2,
            on_retry=self._retry_link,
            on_settings=actions.settings,
        )
        self.trouble = TroubleStrip(chat, theme, row=3)
        self.search_bar = SearchBar(
            chat,
            theme,
            row=4,
            on_type=self._search_typed,
            on_step=self._search_step,
            on_close=self._end_search,
        )
        self.list = ListPane(
            chat,
            theme,
            on_scroll=self._scrolled,
            on_edge=self._edge,
            on_end=self._to_newest,
            on_new=self._to_new,
            acts=self.acts,
            drawable=actions.drawable,
        )
        self.messages = self.list.messages
        self.list.grid(row=5, column=0, sticky="nsew")
        foot = ttk.Frame(
            chat, style="List.TFrame", padding=(px(16), px(6), px(16), px(14))
        )
        foot.columnconfigure(0, weight=1)
        self.composer = Composer(foot, theme, self._submit, actions.drawable)
        self.composer.grid(row=0, column=0, sticky="ew")
        foot.grid(row=6, column=0, sticky="ew")
        self.form = ConnectForm(
            root,
            theme,
            on_connect=actions.connect,
            on_accept=actions.accept,
            on_cancel=self.show_chat,
            browse=actions.browse,
            connected=self._connected,
            new_key=actions.new_key,
        )
        self.preferences = Panel(root, theme, "Preferences", self._fill_preferences)
        self.keys = Panel(root, theme, "Keys", lambda f: keys_panel.fill(f, theme))
        root.columnconfigure(2, weight=1)
        root.rowconfigure(0, weight=1)
        self.side.grid(row=0, column=0, sticky="ns")
        self.edge.grid(row=0, column=1, sticky="ns")
        root.bind("<Configure>", self._resized, add=True)
        root.bind("<FocusIn>", self._focus_moved, add=True)
        root.bind("<FocusOut>", self._focus_moved, add=True)
        self._bind_keys()
        self.restyle()
        self._title()
        self.show_chat()

    def bind(self, presenter: Presenter) -> None:
        """From now on gestures go to `presenter`."""
        self.presenter = presenter

    # -- keys

    def _bind_keys(self) -> None:
        acts: dict[str, Callable[[], object]] = {
            "find": self.side.find,
            "above": lambda: self._step(-1),
            "beneath": lambda: self._step(1),
            "unread": self._to_unread,
            "search": self._search,
            "new": self._to_new,
            "escape": self._escape,
            "larger": lambda: self._resize_text(1),
            "smaller": lambda: self._resize_text(-1),
            "usual": lambda: self._resize_text(0),
            "preferences": self.open_preferences,
            "keys": self.keys.open,
            "close": self._actions.close,
        }

        def press(act: str, event: object) -> str:
            acts[act]()
            return "break"

        text, listed = self.composer.text, self.messages.text
        for each in SHORTCUTS:
            for sequence in each.sequences:
                bound = partial(press, each.act)
                self.root.bind(sequence, bound, add=True)
                text.bind(sequence, bound)  # a Text has Emacs' keys: take ours first
                listed.bind(sequence, bound)
        text.bind("<Prior>", lambda event: self.messages.scrolling.page(-1))
        text.bind("<Next>", lambda event: self.messages.scrolling.page(1))
        text.bind("<Up>", self._edit_last)
        listed.bind(
            f"<{MOD}-c>", lambda event: self.acts.copy(self.messages.selected())
        )
        listed.bind("<Key>", self._type_through)

    def _type_through(self, event: tk.Event[tk.Text]) -> str | None:
        """Typing while the list has the focus goes on in the composer."""
        held = int(event.state) & 0xC  # Control, Mod1
        if not event.char or not event.char.isprintable() or held:
            return None
        self.composer.text.focus_set()
        self.composer.text.insert("insert", event.char)
        return "break"

    def _edit_last(self, event: tk.Event[tk.Text]) -> str | None:
        if self.composer.get():
            return None
        return "break" if self.presenter.writing.edit() else None

    def _escape(self) -> None:
        """From what is open back to the newest message."""
        if self.search_bar.open:
            self._end_search()
        elif not self.presenter.writing.cancel_edit():
            self.list.to_end()
        self.to_composer()

    def to_composer(self) -> None:
        """Let the reader write."""
        if self.chat.winfo_ismapped():
            self.composer.text.focus_set()

    # -- look

    def restyle(self) -> None:
        """Take the theme's colours and sizes."""
        self.header.restyle()
        self.search_bar.restyle()
        self.side.restyle()
        self.list.restyle()
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

    def _resize_text(self, by: int) -> None:
        now = self.presenter.preferences.size
        size = now + by if by else DEFAULT_SIZE
        if size in SIZES:
            self.presenter.prefer(size=size)

    def _toggle_theme(self) -> None:
        dark = self._theme.palette.dark
        self.presenter.prefer(theme="light" if dark else "dark")

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
        self._address = address
        self.header.topic.configure(text=address)
        self._title()

    def show_count(self, count: int) -> None:
        self._count = count
        self._title()

    def show_banner(self, banner: Banner | None) -> None:
        self.banner.show(banner)

    def show_status(self, phase: Phase, text: str) -> None:
        self.side.show_status(phase, text)

    def show_name(self, name: str) -> None:
        self.side.show_name(name)

    def show_room(self, label: str) -> None:
        self._end_search()
        self._label = label
        self.header.show(label)
        self.composer.prompt(f"Message {label}")
        self._title()

    def show_side(self, items: Sequence[SideItem]) -> None:
        self.side.show(items)

    def show_draft(self, text: str, editing: bool) -> None:
        self.composer.put(text)
        self.composer.show_editing(editing)

    def draft(self) -> str:
        return self.composer.get()

    def show_search(self, state: SearchState) -> None:
        self.search_bar.show(state)
        self.messages.highlight(state.words)

    def show_preferences(self, preferences: Preferences) -> None:
        self._theme.set_size(preferences.size)
        if preferences.theme != self._look:
            self._look = preferences.theme
            self._actions.theme(preferences.theme)
        self.restyle()
        self.preferences.anew()

    def show_trouble(self, text: str) -> None:
        self.trouble.show(text)

    def ring(self) -> None:
        self.root.bell()

    def notify(self, text: str) -> None:
        self._actions.notify(text)

    def _title(self) -> None:
        count = f"({self._count}) " if self._count else ""
        parts = [part for part in (self._label, self._address) if part]
        self.root.title(count + " · ".join([*parts, "chat"]))

    # -- gestures

    def _submit(self, text: str) -> bool:
        taken = self.presenter.writing.submit(text)
        if taken:
            self.composer.show_editing(False)
            self.list.to_end()
        return taken

    def _focus_moved(self, event: tk.Event[tk.Misc]) -> None:
        """Whether the reader looks at this program at all."""
        self.presenter.looks(self.root.focus_displayof() is not None)

    def _scrolled(self, at_end: bool) -> None:
        self.presenter.scrolled(at_end)

    def _edge(self, way: int) -> None:
        conversation = self.presenter.conversation
        (conversation.older if way < 0 else conversation.newer)()

    def _to_newest(self) -> None:
        self.presenter.conversation.to_end()
        self.presenter.scrolled(True)

    def _to_new(self) -> None:
        self.presenter.conversation.to_new()

    def _to_unread(self) -> None:
        self.presenter.to_unread()

    def _step(self, way: int) -> None:
        self.presenter.step(way)

    def _choose(self, room: str) -> None:
        self.presenter.open(room)
        self.to_composer()

    def _join(self, text: str) -> bool:
        return self.presenter.join(text)

    def _search(self) -> None:
        if self.chat.winfo_ismapped():
            self.search_bar.begin()

    def _search_typed(self, query: str) -> None:
        self.presenter.find(query)

    def _search_step(self, way: int) -> None:
        self.presenter.search.step(way)

    def _end_search(self) -> None:
        if self.search_bar.open:
            self.search_bar.end()
            self.to_composer()

    def _retry_link(self) -> None:
        self.presenter.retry_now()

    def _connected(self) -> bool:
        return self.presenter.connected

    # -- other menus, and the windows beside this one

    def _side_menu(self, item: SideItem, x: int, y: int) -> None:
        presenter = self.presenter
        own = presenter.preferences.rooms.get(item.room, "")
        choices = [
            (
                "As in the preferences"
                if not rule
                else f"Call me for: {words.lower()}",
                own == rule,
                partial(presenter.set_rule, item.room, rule),
            )
            for rule, words in {"": "", **RULES}.items()
        ]
        items: list[Item] = [("Open", partial(self._choose, item.room))]
        if item.kind == "room" and item.followed:
            items.append(("Leave", partial(presenter.leave, item.room)))
        self.menus.show(items, x, y, choices=choices)

    def _main_menu(self, x: int, y: int) -> None:
        actions = self._actions
        items: list[Item] = [
            ("Search…", self._search),
            ("Preferences…", self.open_preferences),
            ("Keys…", self.keys.open),
            None,
            ("Connect to another server…", actions.settings),
            None,
            ("Quit", actions.close),
        ]
        self.menus.show(items, x, y, to_left=True)

    def open_preferences(self) -> None:
        """Show the preferences beside the window."""
        self.preferences.open()

    def _fill_preferences(self, frame: ttk.Frame) -> None:
        presenter = self.presenter
        preferences_panel.fill(
            frame,
            self._theme,
            presenter.preferences,
            presenter.key_words,
            presenter.prefer,
            self._other_connection,
        )

    def _other_connection(self) -> None:
        self.preferences.close()
        self._actions.settings()

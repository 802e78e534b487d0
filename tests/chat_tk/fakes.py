"""Stand-ins: a link that the test changes, a view that notes what it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatd.client.link import LinkState, Phase, Reason
from chatd.clients.chat_tk.link_status import Banner
from chatd.clients.chat_tk.preferences import Preferences
from chatd.clients.chat_tk.rows import Body, Mark, New, Row
from chatd.clients.chat_tk.search import SearchState
from chatd.clients.chat_tk.side_list import SideItem

ONLINE = LinkState(Phase.ONLINE)


def waiting(reason: Reason, seconds: float) -> LinkState:
    """No connection, and the next try in `seconds`."""
    return LinkState(Phase.WAITING, reason, seconds, "here:1")


class FakeLink:
    """A link in whatever state the test wants."""

    def __init__(self, state: LinkState = ONLINE) -> None:
        self.state = state
        self.lag: float | None = None
        self.observers: list[Callable[[LinkState], None]] = []

    def observe(self, callback: Callable[[LinkState], None]) -> Callable[[], None]:
        self.observers.append(callback)
        return lambda: self.observers.remove(callback)

    def change(self, state: LinkState) -> None:
        """The connection changed."""
        self.state = state
        for observer in list(self.observers):
            observer(state)


class FakeView:
    """Notes what it is told to show."""

    def __init__(self) -> None:
        self.server = self.name = self.room = self.status = self.trouble = ""
        self.banner: Banner | None = None
        self.side: list[SideItem] = []
        self.bodies: list[Body] = []
        self.list = self
        self.seen: int | None = None
        self.above = self.count = self.rings = 0
        self.written = ""
        self.editing = False
        self.found = SearchState()
        self.shown: list[int] = []
        self.notices: list[str] = []
        self.preferences = Preferences()
        self.writes = 0
        self.tops: list[tuple[list[Row], int]] = []
        self.below = self.new = 0

    @property
    def texts(self) -> list[str]:
        """The messages shown, as text."""
        return ["".join(span.text for span in body.spans) for body in self.bodies]

    @property
    def marks(self) -> list[tuple[Mark, str]]:
        """What became of each message shown."""
        return [(body.mark, body.why) for body in self.bodies]

    def show_server(self, address: str) -> None:
        self.server = address

    def show_name(self, name: str) -> None:
        self.name = name

    def show_room(self, label: str) -> None:
        self.room = label

    def show_draft(self, text: str, editing: bool) -> None:
        self.written, self.editing = text, editing

    def draft(self) -> str:
        return self.written

    def show_preferences(self, preferences: Preferences) -> None:
        self.preferences = preferences

    def show_search(self, state: SearchState) -> None:
        self.found = state

    def show_count(self, count: int) -> None:
        self.count = count

    def ring(self) -> None:
        self.rings += 1

    def notify(self, text: str) -> None:
        self.notices.append(text)

    def cut_below(self, last: int | None) -> None:
        ids = [body.id for body in self.bodies]
        del self.bodies[0 if last is None else ids.index(last) + 1 :]

    def replace_body(self, body: Body) -> None:
        self.bodies = [body if b.id == body.id else b for b in self.bodies]

    def show_message(self, id: int) -> None:
        self.shown.append(id)

    def show_above(self, count: int) -> None:
        self.above = count

    def show_side(self, items: Sequence[SideItem]) -> None:
        self.side = list(items)

    def show_banner(self, banner: Banner | None) -> None:
        self.banner = banner

    def show_status(self, phase: Phase, text: str) -> None:
        self.status = text

    def reset_rows(self, rows: Sequence[Row], see: int | None) -> None:
        self.bodies = [row for row in rows if isinstance(row, Body)]
        self.new = sum(isinstance(row, New) for row in rows)
        self.seen = see

    def append_rows(self, rows: Sequence[Row]) -> None:
        self.bodies += [row for row in rows if isinstance(row, Body)]
        self.writes += 1

    def replace_top(self, rows: Sequence[Row], through: int) -> None:
        self.tops.append((list(rows), through))
        at = [body.id for body in self.bodies].index(through)
        top = [row for row in rows if isinstance(row, Body)]
        self.bodies = [*top, *self.bodies[at + 1 :]]

    def set_mark(self, id: int, mark: Mark, why: str) -> None:
        for at, body in enumerate(self.bodies):
            if body.id == id:
                self.bodies[at] = Body(id, body.spans, mark, why)

    def show_below(self, count: int) -> None:
        self.below = count

    def show_trouble(self, text: str) -> None:
        self.trouble = text

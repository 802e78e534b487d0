"""Stand-ins: a link that the test changes, a view that notes what it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatd.client.link import LinkState, Phase, Reason
from chatd.clients.chat_tk.link_status import Banner
from chatd.clients.chat_tk.side_list import SideItem
from chatd.clients.chat_tk.spans import Body, Mark, Row

ONLINE = LinkState(Phase.ONLINE)


def waiting(reason: Reason, seconds: float) -> LinkState:
    """No connection, and the next try in `seconds`."""
    return LinkState(Phase.WAITING, reason, seconds, "here:1")


class FakeLink:
    """A link in whatever state the test wants."""

    def __init__(self, state: LinkState = ONLINE) -> None:
        self.state = state
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
        self.seen: int | None = None
        self.writes = 0
        self.tops: list[tuple[list[Row], int]] = []
        self.below = 0

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

    def show_side(self, items: Sequence[SideItem]) -> None:
        self.side = list(items)

    def show_banner(self, banner: Banner | None) -> None:
        self.banner = banner

    def show_status(self, phase: Phase, text: str) -> None:
        self.status = text

    def reset_rows(self, rows: Sequence[Row], see: int | None) -> None:
        self.bodies = [row for row in rows if isinstance(row, Body)]
        self.seen = see

    def append_rows(self, rows: Sequence[Row]) -> None:
        self.bodies += [row for row in rows if isinstance(row, Body)]
        self.writes += 1

    def replace_top(self, rows: Sequence[Row], through: int) -> None:
        self.tops.append((list(rows), through))
        self.bodies = [body for body in self.bodies if body.id >= through]

    def set_mark(self, id: int, mark: Mark, why: str) -> None:
        for at, body in enumerate(self.bodies):
            if body.id == id:
                self.bodies[at] = Body(id, body.spans, mark, why)

    def show_below(self, count: int) -> None:
        self.below = count

    def show_trouble(self, text: str) -> None:
        self.trouble = text

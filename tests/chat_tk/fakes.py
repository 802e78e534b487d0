"""Stand-ins: a connection that the test answers, a view that notes what it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred

from chatd.client.link import LinkState, Phase, Reason
from chatd.clients.chat_tk.presenter import Banner
from chatd.clients.chat_tk.spans import Mark, Row

ONLINE = LinkState(Phase.ONLINE)


def waiting(reason: Reason, seconds: float) -> LinkState:
    """No connection, and the next try in `seconds`."""
    return LinkState(Phase.WAITING, reason, seconds, "here:1")


class FakeClient:
    """Keeps what was said and gives the answers that the test wants."""

    def __init__(self, state: LinkState = ONLINE) -> None:
        self.state = state
        self.said: list[tuple[str, Deferred[str]]] = []
        self.retries = 0
        self.observers: list[Callable[[LinkState], None]] = []

    def say(self, text: str) -> Deferred[str]:
        answer: Deferred[str] = Deferred()
        self.said.append((text, answer))
        return answer

    def retry_now(self) -> None:
        self.retries += 1

    def observe(self, callback: Callable[[LinkState], None]) -> Callable[[], None]:
        self.observers.append(callback)
        return lambda: self.observers.remove(callback)

    def change(self, state: LinkState) -> None:
        """The connection changed."""
        self.state = state
        for observer in list(self.observers):
            observer(state)

    def answer(self, at: int = -1) -> None:
        """The server answers the line number `at`."""
        text, answer = self.said[at]
        answer.callback(f"Server received: {text}")


class FakeView:
    """Notes what it is told to show."""

    def __init__(self) -> None:
        self.server = ""
        self.banner: Banner | None = None
        self.status = ""
        self.appends: list[list[Row]] = []
        self.tops: list[tuple[list[Row], int]] = []
        self.marks: list[tuple[int, Mark, str]] = []
        self.below = 0
        self.trouble = ""

    def show_server(self, address: str) -> None:
        self.server = address

    def show_banner(self, banner: Banner | None) -> None:
        self.banner = banner

    def show_status(self, phase: Phase, text: str) -> None:
        self.status = text

    def append_rows(self, rows: Sequence[Row]) -> None:
        self.appends.append(list(rows))

    def replace_top(self, rows: Sequence[Row], through: int) -> None:
        self.tops.append((list(rows), through))

    def set_mark(self, id: int, mark: Mark, why: str) -> None:
        self.marks.append((id, mark, why))

    def show_below(self, count: int) -> None:
        self.below = count

    def show_trouble(self, text: str) -> None:
        self.trouble = text

"""A window with a presenter, and a whole server in memory."""

from __future__ import annotations

import time

from chatd.clients.chat_tk.presenter import FLUSH, Presenter
from chatd.clients.chat_tk.rows import Message
from chatd.clients.chat_tk.theme import Theme
from chatd.clients.chat_tk.view import Actions, MainWindow
from chatd.server.limits import Limits
from chatd.wire.tokens import Key
from tests.chat_tk.driver import WindowTestCase
from tests.client.cable import Account, Cable
from tests.server.house import House


class ViewTestCase(WindowTestCase):
    """A window with a presenter, and a whole server in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.log: list[object] = []
        self.browsed = ""
        self.theme = Theme(self.root, 1.0)
        self.theme.use("light")
        actions = Actions(
            close=lambda: self.log.append("close"),
            theme=self._look,
            settings=lambda: self.log.append("settings"),
            connect=self.log.append,
            accept=lambda invite, path: self.log.append((invite.name, path)),
            browse=lambda: self.browsed,
            open_url=self.log.append,
            new_key=lambda: Key.generate(lambda n: bytes(range(n))),
            drawable=str,
            notify=self.log.append,
        )
        self.window = MainWindow(self.root, self.theme, "mira@larch", actions)
        self.house = House(self, Limits(messages=0))
        self.cable = Cable(self.house)
        account = Account(self, self.cable, "mira", connect=False)
        self.clock, self.client = self.house.clock, account.client
        self.presenter = Presenter(self.window, self.clock, time.time, "mira@larch")
        self.addCleanup(self.presenter.close)
        self.window.bind(self.presenter)
        self.presenter.attach(self.client, "here:1")
        self.client.start()
        self.cable.flow()
        self.list = self.window.messages.text
        self.field = self.window.composer.text
        self.rest()

    def _look(self, name: str) -> None:
        self.log.append(name)
        self.theme.use("light" if name == "system" else name)

    def shown(self) -> str:
        """The conversation's text."""
        return self.list.get("1.0", "end")

    def marks(self) -> list[str]:
        names = [str(name) for name in self.list.image_names()]
        return [n.split(":")[2] for n in names if n.startswith("mark:")]

    def answer(self) -> None:
        """What was said reaches the server, and its answers the window."""
        self.cable.flow()
        self.clock.advance(FLUSH)
        self.rest()

    def stranger(self, text: str) -> None:
        """Somebody says `text`, whatever it is."""
        self.presenter.conversation.transcript.add(Message(0, "eve", text, time.time()))
        self.clock.advance(FLUSH)
        self.rest()

    def say_many(self, count: int) -> None:
        for n in range(count):
            self.presenter.writing.submit(f"line {n} " * 12)
        self.rest()

    def at_end(self) -> bool:
        return self.list.yview()[1] >= 0.9995

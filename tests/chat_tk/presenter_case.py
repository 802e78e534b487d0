"""Mira at her window, without a display, against a whole server in memory; Bob."""

from __future__ import annotations

import datetime as dt

from twisted.trial.unittest import SynchronousTestCase

from chatd.clients.chat_tk.presenter import FLUSH, Presenter
from chatd.clients.chat_tk.side_list import SideItem
from chatd.server.limits import Limits
from tests.chat_tk.fakes import FakeView
from tests.client.cable import Account, Cable
from tests.server.house import House


class PresenterCase(SynchronousTestCase):
    """Mira at her window; Bob elsewhere."""

    def setUp(self) -> None:
        self.house = House(self, Limits(messages=0))
        self.cable = Cable(self.house)
        self.bob = Account(self, self.cable, "bob")
        self.mira = Account(self, self.cable, "mira", connect=False)
        self.view = FakeView()
        self.presenter = Presenter(
            self.view, self.house.clock, self.house.now, "login", dt.UTC
        )
        self.presenter.attach(self.mira.client, "here:1")
        self.addCleanup(self.presenter.close)
        self.mira.client.start()
        self.flow()

    def flow(self) -> None:
        self.cable.flow()
        self.house.clock.advance(FLUSH)
        self.cable.flow()

    def bob_says(self, room: str, *texts: str) -> None:
        for text in texts:
            self.bob.client.say(room, text)
        self.flow()

    def item(self, label: str) -> SideItem:
        """The conversation of that name in the side."""
        return next(each for each in self.view.side if each.label == label)

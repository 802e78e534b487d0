"""The program: window, presenter and connection in one reactor, from start to end."""

from __future__ import annotations

import os
import shutil
import sys
import time
import tkinter as tk
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from tkinter import filedialog

from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import (
    IReactorCore,
    IReactorInThreads,
    IReactorProcess,
    IReactorTime,
)
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import (
    FilteringLogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
)
from twisted.python.failure import Failure

from chatd import __version__, keyfile
from chatd.client import account
from chatd.client.chat import ChatClient
from chatd.client.errors import RequestFailed, SayError
from chatd.client.link import LinkState, Phase
from chatd.client.reach import Unreached
from chatd.client.settings import Settings
from chatd.clients.chat_tk import preferences, screen
from chatd.clients.chat_tk.drawable import without_colour_pictures
from chatd.clients.chat_tk.loop import TkLoop
from chatd.clients.chat_tk.preferences import Preferences
from chatd.clients.chat_tk.presenter import Presenter
from chatd.clients.chat_tk.target import Place, Target, check
from chatd.clients.chat_tk.theme import Theme
from chatd.clients.chat_tk.view import Actions, MainWindow
from chatd.journal.client_store import ClientStore
from chatd.logs import LineObserver, Stream, text_line
from chatd.wire.invite import Invite
from chatd.wire.tokens import Key

_log = Logger()
ACCEPT_SECONDS = 20.0
_PATIENCE = 3.0  # seconds that closing the connection may take


class Reactor(IReactorCore, IReactorInThreads, IReactorTime):
    """All in one object."""


class Program:
    """One window and the connection it has, if any."""

    def __init__(
        self,
        root: tk.Tk,
        reactor: Reactor,
        wanted: Settings,
        *,
        name: str,
        scale: float,
        preferred: Preferences,
        preferences_path: Path,
    ) -> None:
        self._root, self._reactor, self._wanted = root, reactor, wanted
        self._client: ChatClient | None = None
        self._store = ClientStore(None)
        self.loop = TkLoop(root, reactor, self._callback_failed)
        self._theme = Theme(root, scale)
        self._theme.use(_resolved(preferred.theme))
        self._theme.set_size(preferred.size)
        self._preferences_path = preferences_path
        drawable = str if screen.colour_fonts(root) else without_colour_pictures
        actions = Actions(
            close=self.loop.stop,
            theme=lambda name: self._theme.use(_resolved(name)),
            settings=self._show_settings,
            connect=self._connect,
            accept=self._accept,
            browse=self._browse,
            open_url=lambda url: reactor.callInThread(_open_url, url),
            new_key=lambda: Key.generate(os.urandom),
            drawable=drawable,
            notify=desktop_notice(IReactorProcess(reactor)),
        )
        self.window = MainWindow(root, self._theme, name, actions)
        self._presenter = Presenter(
            self.window, reactor, time.time, name, preferences=preferred
        )
        self.window.bind(self._presenter)

    def run(self) -> None:
        """Until the window is closed or a signal comes."""
        levels = LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)
        levels.setLogLevelForNamespace("chatd", LogLevel.info)
        lines = LineObserver(Stream(sys.stderr), text_line)
        globalLogBeginner.beginLoggingTo(
            [FilteringLogObserver(lines, [levels])], redirectStandardIO=False
        )
        self._reactor.addSystemEventTrigger("before", "shutdown", self.shut_down)
        self._reactor.callWhenRunning(self.begin)
        self.loop.start()
        self._reactor.run()

    def begin(self) -> None:
        """Connect, or ask where to and with which key."""
        target = self._target()
        match check(target):
            case Place() as place:
                self._connect(place)
            case wrong:
                path = self._wanted.key_path
                note = wrong.get("key_path", "") if path.exists() else ""
                self.window.show_form(target, note=note, cancel=False)
        _log.info("window is up")

    def _target(self) -> Target:
        wanted = self._wanted
        return Target(wanted.host, str(wanted.port), str(wanted.key_path))

    # -- the connection

    def _connect(self, place: Place) -> None:
        old, self._client = self._client, None
        if old is not None:
            store = self._store
            _logged(old.stop(), "stop-failed").addCallback(lambda _: store.close())
        endpoint = HostnameEndpoint(self._reactor, place.host, place.port)
        self._wanted = wanted = Settings(place.host, place.port, place.key_path)
        store, _ = account.open_store(account.store_path(wanted, os.environ))
        session = ChatClient(
            self._reactor,
            endpoint,
            account.keys(place.key_path),
            store,
            agent=f"chat-tk/{__version__}",
            where=place.address,
        )
        session.observe(lambda state: self._proven(state, session, place.key_path))
        client = session
        self._client, self._store = client, store
        self.window.show_chat()
        client.start()
        self._presenter.attach(client, place.address)

    def _proven(self, state: LinkState, session: ChatClient, path: Path) -> None:
        if state.phase is Phase.ONLINE:
            account.settle(path, session.key)

    def shut_down(self) -> Deferred[None]:
        """Stop the client, for _PATIENCE at most; the window is alive still."""
        self._keep_preferences()
        self._presenter.close()
        client, self._client = self._client, None
        if client is None:
            return succeed(None)
        gone = client.stop()
        gone.addTimeout(_PATIENCE, self._reactor)
        store = self._store
        return _logged(gone, "stop-failed").addCallback(lambda _: store.close())

    def _keep_preferences(self) -> None:
        kept = self._presenter.leaving(self._root.geometry())
        try:
            preferences.save(self._preferences_path, kept)
        except OSError as error:
            _log.warn("preferences-not-kept", reason=error.strerror)

    # -- what the window asks

    def _show_settings(self) -> None:
        cancel = self._client is not None
        self.window.show_form(self._target(), cancel=cancel)

    def _accept(self, invite: Invite, path: str) -> None:
        """Make the invite a key file, and connect with it."""
        host, port = invite.hosts[0]
        target = Target(host, str(port), path)

        def make(keys: Sequence[Key], store: ClientStore) -> ChatClient:
            endpoint = HostnameEndpoint(self._reactor, host, port)
            return ChatClient(
                self._reactor, endpoint, keys, store, where=f"{host}:{port}"
            )

        def accepted(_: str) -> None:
            match check(target):
                case Place() as place:
                    self._connect(place)
                case wrong:
                    self.window.form.not_accepted(" ".join(wrong.values()))

        def failed(failure: Failure) -> None:
            known = (keyfile.KeyFileError, Unreached, RequestFailed, SayError, OSError)
            if failure.check(*known) is None:
                _log.failure("accept-failed", failure)
            self.window.form.not_accepted(str(failure.value))

        accepting = account.accept(
            invite.key, target.path, make, self._reactor, ACCEPT_SECONDS
        )
        Deferred.fromCoroutine(accepting).addCallbacks(accepted, failed)

    def _browse(self) -> str:
        """Tk's dialog is a loop of its own: for when nothing is connected."""
        folder = self._wanted.key_path.parent
        chosen = filedialog.askopenfilename(
            parent=self._root,
            title="Key file",
            initialdir=str(folder) if folder.is_dir() else None,
        )
        return chosen if isinstance(chosen, str) else ""

    def _callback_failed(self, kind: str) -> None:
        text = f"Something went wrong in this program ({kind}); its log says where."
        self.window.show_trouble(text)


def _resolved(theme: str) -> str:
    return screen.theme() if theme == "system" else theme


def desktop_notice(reactor: IReactorProcess) -> Callable[[str], None]:
    """What shows a line by notify-send(1), where that is installed."""
    program = shutil.which("notify-send")

    def show(text: str) -> None:
        if program is not None:
            call = [program, "--app-name=chat", "--", "chat", text]
            reactor.spawnProcess(ProcessProtocol(), program, call, env=None)

    return show


def _open_url(address: str) -> None:
    """In the reader's browser. May wait for seconds: for a thread."""
    if not webbrowser.open(address):
        _log.warn("no-browser")


def _logged(done: Deferred[None], event: str) -> Deferred[None]:
    def failed(failure: Failure) -> None:
        _log.failure(event, failure)

    return done.addErrback(failed)

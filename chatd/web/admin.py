"""The admin API: JSON by HTTP, on a UNIX socket that only the operator can open.

``GET /status`` and the like read, ``POST`` with an object acts. An error is
``{"error": "what to do"}``. What takes long is a stream of lines (`streams`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from chatd.journal.interface import Told
from chatd.server.policy import NotDecided
from chatd.web import views
from chatd.web.house import House
from chatd.web.site import answer_error, answer_json
from chatd.web.streams import Tail, Work
from chatd.wire.json_text import BadJSON, Object, read_object
from chatd.wire.messages import is_integer

_log = Logger()

STREAMS = ("tail", "backup", "verify")

_Act: TypeAlias = Callable[["Wish"], Awaitable[Object]]


class BadWish(Exception):
    """The request is not what the API understands, in one line."""


class Wish:
    """The members of a request, each asked for by its type. Raises BadWish."""

    def __init__(self, members: Object) -> None:
        self._members = members

    def text(self, name: str) -> str:
        value = self._members.get(name)
        if not isinstance(value, str) or not value:
            raise BadWish(f"{name}: a text is needed")
        return value

    def texts(self, name: str) -> list[str]:
        value = self._members.get(name, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise BadWish(f"{name}: a list of texts is needed")
        return list(value)

    def number(self, name: str) -> int | None:
        value = self._members.get(name)
        if not (value is None or is_integer(value)):
            raise BadWish(f"{name}: a whole number, or nothing")
        return value


class Admin(Resource):
    """All of it, by the path."""

    isLeaf = True

    def __init__(self, house: House, clock: IReactorTime) -> None:
        super().__init__()
        self._house, self._clock = house, clock
        operator = house.operator
        self._reads: dict[str, Callable[[], Object]] = {
            "status": lambda: views.status(house),
            "rooms": lambda: {"rooms": views.rooms(house)},
            "users": lambda: {"users": views.users(house)},
            "sessions": lambda: {"sessions": views.sessions(house)},
            "bans": lambda: views.bans(house),
            "hooks": lambda: {"hooks": views.hooks(house)},
        }
        self._acts: dict[str, _Act] = {
            "kick": self._kick,
            "mute": lambda w: _done(operator.mute(w.text("name"), self._until(w))),
            "unmute": lambda w: _done(operator.unmute(w.text("name"))),
            "ban": self._ban,
            "unban": self._unban,
            "room/create": lambda w: _done(operator.create(w.text("room"))),
            "room/private": lambda w: _done(
                operator.make_private(w.text("room"), w.texts("names"))
            ),
            "room/public": lambda w: _done(operator.make_public(w.text("room"))),
            "room/admit": lambda w: _done(
                operator.admit(w.text("room"), w.text("name"))
            ),
            "room/expel": lambda w: _done(
                operator.expel(w.text("room"), w.text("name"))
            ),
            "room/retention": lambda w: _done(
                operator.retain(w.text("room"), w.number("days"))
            ),
            "say": self._say,
            "trace": self._trace,
            "hook/outgoing": self._add_outgoing,
            "hook/incoming": self._add_incoming,
            "hook/remove": lambda w: _done(house.hooks.remove(w.text("id"))),
        }

    def render(self, request: Request) -> bytes | int:
        path = _path(request)
        method = "GET" if path in self._reads else "POST"
        if not (path in self._reads or path in self._acts or path in STREAMS):
            return answer_error(request, 404, "there is nothing of this name")
        if request.method != method.encode():
            request.setHeader("Allow", method)
            return answer_error(request, 405, f"ask for it by {method}")
        try:
            wish = Wish(_members(request))
            match path:
                case "tail":
                    return self._tail(request, wish)
                case "backup":
                    work = Work(self._clock, request)
                    return work.begin(self._backup(wish, work.told))
                case "verify":
                    work = Work(self._clock, request)
                    return work.begin(self._verify(work.told))
        except BadWish as fault:
            return answer_error(request, 400, str(fault))
        doing = Deferred.fromCoroutine(self._do(path, wish))
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)

        def answer(told: Object) -> None:
            if not gone:
                request.write(answer_json(request, told))
                request.finish()

        def refuse(failure: Failure) -> None:
            code, why = _fault(failure)
            if not gone:
                request.write(answer_error(request, code, why))
                request.finish()

        doing.addCallback(answer).addErrback(refuse)
        return NOT_DONE_YET

    async def _do(self, path: str, wish: Wish) -> Object:
        if path in self._reads:
            return self._reads[path]()
        return await self._acts[path](wish)

    # The longer ones.

    async def _kick(self, wish: Wish) -> Object:
        return {"ended": self._house.operator.kick(wish.text("name"))}

    async def _ban(self, wish: Wish) -> Object:
        ids = await self._house.operator.ban(wish.text("who"), self._until(wish))
        return {"keys": ids}

    async def _unban(self, wish: Wish) -> Object:
        return {"keys": await self._house.operator.unban(wish.text("who"))}

    async def _say(self, wish: Wish) -> Object:
        said = await self._house.operator.say(wish.text("room"), wish.text("text"))
        return {"room": said.room, "seq": said.seq, "time": said.time}

    async def _trace(self, wish: Wish) -> Object:
        return await views.trace(self._house, wish.text("id"))

    async def _add_outgoing(self, wish: Wish) -> Object:
        id, secret = await self._house.hooks.add_outgoing(
            wish.text("room"), wish.text("url"), wish.text("name")
        )
        return {"id": id, "secret": secret}

    async def _add_incoming(self, wish: Wish) -> Object:
        id, token = await self._house.hooks.add_incoming(
            wish.text("room"), wish.text("name")
        )
        return {"id": id, "token": token}

    def _tail(self, request: Request, wish: Wish) -> int:
        """From behind `after` on, or the last `count`; else what comes from now on."""
        room = self._house.hub.rooms.get(wish.text("room"))
        if room is None or not room.public:
            raise BadWish("there is no such room")
        after, count = wish.number("after"), wish.number("count")
        if after is None:
            after = room.head.last - (count or 0)
        after = min(max(room.head.first - 1, after), room.head.last)
        return Tail(self._house, request, room, after).begin()

    def _backup(self, wish: Wish, told: Told) -> Deferred[Object]:
        path = Path(wish.text("path"))
        if not path.is_absolute():
            raise BadWish("path: an absolute one is needed")
        done = self._house.journal.backup(path, told)
        return done.addCallback(
            lambda _: {"path": str(path), "inode": path.stat().st_ino}
        )

    def _verify(self, told: Told) -> Deferred[Object]:
        heads = {name: room.head for name, room in self._house.hub.rooms.items()}
        done = self._house.journal.verify(heads, told)
        return done.addCallback(views.verdicts)

    def _until(self, wish: Wish) -> int | None:
        seconds = wish.number("seconds")
        now = self._house.now()
        return None if seconds is None else int((now + seconds) * 1000)


async def _done(act: Awaitable[object]) -> Object:
    await act
    return {}


def _path(request: Request) -> str:
    return b"/".join(request.postpath or []).decode(errors="replace")


def _members(request: Request) -> Object:
    data = b"" if request.content is None else request.content.read()
    try:
        return read_object(data) if data else {}
    except BadJSON as fault:
        raise BadWish(f"the body: {fault}") from None


def _fault(failure: Failure) -> tuple[int, str]:
    error = failure.value
    if isinstance(error, NotDecided):
        return 409, str(error)
    if isinstance(error, BadWish):
        return 400, str(error)
    _log.failure("admin-failed", failure)
    return 500, "something failed here: the log has it"

"""``POST /hooks/TOKEN``: a program says something in the room of its token."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from chatd.webhooks.incoming import Inbox, NotTaken, Post
from chatd.wire.json_text import BadJSON, read_object, write

_log = Logger()

_JSON = "application/json"
_TEXT = ("", "text/plain", "application/x-www-form-urlencoded")
"""The last is what ``curl -d`` says of any text."""


class Hooks(Resource):
    """Takes posts. Answers 200 once what was said is on disk.

    Neither token nor text appears in a log; the path is never told to anyone.
    """

    isLeaf = True

    def __init__(self, inbox: Inbox) -> None:
        super().__init__()
        self._inbox = inbox

    def render(self, request: Request) -> int:
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)

        def answer(code: int, kind: str, text: bytes) -> None:
            if not gone:
                request.setResponseCode(code)
                request.setHeader("Content-Type", kind)
                request.setHeader("Cache-Control", "no-store")
                request.write(text + b"\n")
                request.finish()

        def refuse(failure: Failure) -> None:
            fault = failure.value
            if not isinstance(fault, NotTaken):
                _log.failure("hook-post-failed", failure)
                fault = NotTaken(500, "something failed here: post it again")
            if fault.retry_after is not None:
                request.setHeader("Retry-After", str(fault.retry_after))
            answer(fault.code, "text/plain; charset=utf-8", str(fault).encode())

        taken = Deferred.fromCoroutine(self._take(request))
        taken.addCallback(lambda receipt: answer(200, _JSON, receipt))
        taken.addErrback(refuse)
        return NOT_DONE_YET

    async def _take(self, request: Request) -> bytes:
        """The receipt, as JSON. Raises NotTaken."""
        if request.method != b"POST":
            request.setHeader("Allow", "POST")
            raise NotTaken(405, "POST the text to this address")
        token = b"/".join(request.postpath or []).decode(errors="replace")
        hook = self._inbox.hook(token)
        receipt = await self._inbox.take(hook, _post(request, self._inbox.longest))
        where = {"room": receipt.room, "seq": receipt.seq, "time": receipt.time}
        return write(where)


def _post(request: Request, longest: int) -> Post:
    """What the request says. Raises NotTaken."""
    content = request.content
    data = b"" if content is None else content.read(longest + 1)
    if len(data) > longest:
        raise NotTaken(413, f"longer than {longest} bytes: post less")
    kind = (request.getHeader("content-type") or "").partition(";")[0].strip().lower()
    key = request.getHeader("idempotency-key")
    if kind in _TEXT:
        try:
            return Post(data.decode(), key)
        except UnicodeDecodeError:
            raise NotTaken(400, "not UTF-8: post text in UTF-8") from None
    if kind != _JSON:
        raise NotTaken(415, "post text/plain, or application/json with text in it")
    try:
        members = read_object(data)
    except BadJSON as fault:
        raise NotTaken(400, f"{fault}: post an object with text in it") from None
    text, id = members.get("text"), members.get("id")
    if not isinstance(text, str) or not isinstance(id, str | None):
        raise NotTaken(400, 'post {"text": "...", "id": "..."}, id or not')
    return Post(text, id if key is None else key)

"""``GET /health``: whether the daemon lives, and whether it can do its work."""

from __future__ import annotations

from twisted.web.resource import Resource
from twisted.web.server import Request

from chatd import __version__
from chatd.web.house import House
from chatd.web.site import answer_json


class Health(Resource):
    """200 where it is ready, 503 with the reasons where it is not.

    That it answers at all shows that it lives: restart it where it does not.
    """

    isLeaf = True

    def __init__(self, house: House) -> None:
        super().__init__()
        self._house = house

    def render_GET(self, request: Request) -> bytes:
        reasons = self._house.unready()
        told = {"live": True, "ready": not reasons, "reasons": reasons}
        told["version"] = __version__
        return answer_json(request, told, 503 if reasons else 200)

"""Small anti-aliased pictures as PNG bytes, in pure Python: no Tk, no Pillow.

A shape is a signed distance function (x, y) -> distance in pixels, negative
inside.  Every picture is drawn at the wanted pixel size, so the look is the
same at every scale factor.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import hypot

Sdf = Callable[[float, float], float]
Layer = tuple[Sdf, str]  # a shape and its colour, "#rrggbb"
Rows = list[bytes]  # one RGBA string for each row of pixels
Draw = Callable[[], bytes]  # gives a PNG file


def rgb(colour: str) -> tuple[int, int, int]:
    """The three parts of "#rrggbb", 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def mix(a: str, b: str, part: float) -> str:
    """Colour ``a`` with ``part`` (0..1) of ``b`` in it."""
    return "#" + "".join(
        f"{round(x + (y - x) * part):02x}" for x, y in zip(rgb(a), rgb(b), strict=True)
    )


def rounded(x0: float, y0: float, x1: float, y1: float, r: float) -> Sdf:
    """A box with round corners of radius `r`."""
    cx, cy, hw, hh = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2 - r, (y1 - y0) / 2 - r

    def sdf(x: float, y: float) -> float:
        dx, dy = abs(x - cx) - hw, abs(y - cy) - hh
        return min(max(dx, dy), 0) + hypot(max(dx, 0), max(dy, 0)) - r

    return sdf


def disc(cx: float, cy: float, r: float) -> Sdf:
    """A full circle."""
    return lambda x, y: hypot(x - cx, y - cy) - r


def ring(cx: float, cy: float, r: float, width: float) -> Sdf:
    """A circle's line, `width` thick."""
    return lambda x, y: abs(hypot(x - cx, y - cy) - r) - width / 2


def stroke(points: Sequence[tuple[float, float]], width: float) -> Sdf:
    """A polyline with round ends."""
    segs = [(*a, b[0] - a[0], b[1] - a[1]) for a, b in pairwise(points)]

    def sdf(x: float, y: float) -> float:
        best = 1e9
        for ax, ay, dx, dy in segs:
            t = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy or 1)
            t = min(1.0, max(0.0, t))
            best = min(best, hypot(x - ax - t * dx, y - ay - t * dy))
        return best - width / 2

    return sdf


def polygon(points: Sequence[tuple[float, float]]) -> Sdf:
    """A filled polygon (even-odd rule)."""
    n = len(points)
    edge = stroke([*points, points[0]], 0)

    def sdf(x: float, y: float) -> float:
        inside = False
        for i in range(n):
            (ax, ay), (bx, by) = points[i], points[(i + 1) % n]
            if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
                inside = not inside
        return -edge(x, y) if inside else edge(x, y)

    return sdf


def minus(a: Sdf, b: Sdf) -> Sdf:
    """`a` without `b`."""
    return lambda x, y: max(a(x, y), -b(x, y))


def paint(width: int, height: int, layers: Sequence[Layer]) -> Rows:
    """The layers, painted one over the other on nothing."""
    out: Rows = []
    paints = [(sdf, rgb(colour)) for sdf, colour in layers]
    for py in range(height):
        row = bytearray()
        for px in range(width):
            r = g = b = a = 0.0
            for sdf, (pr, pg, pb) in paints:
                cover = 0.5 - sdf(px + 0.5, py + 0.5)
                if cover <= 0:
                    continue
                cover = min(cover, 1.0)
                rest = a * (1 - cover)
                na = cover + rest
                r = (pr * cover + r * rest) / na
                g = (pg * cover + g * rest) / na
                b = (pb * cover + b * rest) / na
                a = na
            row += bytes((round(r), round(g), round(b), round(a * 255)))
        out.append(bytes(row))
    return out


def stretch(rows: Rows, width: int, height: int) -> Rows:
    """Repeat the middle column and row until the picture has this size."""
    mid = len(rows[0]) // 4 // 2 * 4
    more = width - len(rows[0]) // 4
    rows = [row[:mid] + row[mid : mid + 4] * more + row[mid:] for row in rows]
    mid = len(rows) // 2
    return rows[:mid] + [rows[mid]] * (height - len(rows)) + rows[mid:]


def ground(rows: Rows, colour: str) -> Rows:
    """On an opaque ground.

    Tk blends a picture that has half-transparent pixels by reading the screen back,
    once for each tile: on a themed widget that is thousands of round trips.
    """
    back = rgb(colour)
    out = []
    for row in rows:
        new = bytearray(row)
        for at in range(0, len(new), 4):
            a = new[at + 3]
            if a < 255:
                for k in (0, 1, 2):
                    new[at + k] = (new[at + k] * a + back[k] * (255 - a)) // 255
                new[at + 3] = 255
        out.append(bytes(new))
    return out


def encode(rows: Rows) -> bytes:
    """A PNG file; without an alpha channel when nothing is transparent."""
    width = len(rows[0]) // 4
    opaque = all(set(row[3::4]) == {255} for row in rows)
    data = bytearray()
    for row in rows:
        data.append(0)
        if opaque:
            line = bytearray(3 * width)
            line[0::3], line[1::3], line[2::3] = row[0::4], row[1::4], row[2::4]
            data += line
        else:
            data += row

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body))
            + kind
            + body
            + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, len(rows), 8, 2 if opaque else 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(data), 6))
        + chunk(b"IEND", b"")
    )


def png(width: int, height: int, layers: Sequence[Layer]) -> bytes:
    """The layers as a PNG file."""
    return encode(paint(width, height, layers))

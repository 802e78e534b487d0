"""The icons, each drawn on a unit square for the pixel size that is wanted."""

from __future__ import annotations

from collections.abc import Callable

from chatd.clients.chat_tk.raster import (
    Sdf,
    disc,
    minus,
    png,
    polygon,
    ring,
    rounded,
    stroke,
)

Shape = Callable[[float], Sdf]


def icon(name: str, size: int, colour: str) -> bytes:
    """The icon `name` of ICONS as a PNG of `size` pixels square."""
    return png(size, size, [(shape(size), colour) for shape in ICONS[name]])


def _line(*pts: tuple[float, float], w: float = 0.11) -> Shape:
    return lambda s: stroke([(x * s, y * s) for x, y in pts], max(1.1, w * s))


def _dot(at: float) -> Shape:
    return lambda s: disc(s * at, s * 0.5, s * 0.085)


ICONS: dict[str, tuple[Shape, ...]] = {
    "pending": (lambda s: ring(s * 0.5, s * 0.5, s * 0.32, max(1.1, s * 0.10)),),
    "delivered": (
        _line((0.08, 0.54), (0.30, 0.75), (0.66, 0.28), w=0.12),
        _line((0.50, 0.72), (0.53, 0.75), (0.94, 0.28), w=0.12),
    ),
    "stored": (_line((0.20, 0.54), (0.42, 0.75), (0.82, 0.28), w=0.12),),
    "failed": (
        lambda s: minus(
            minus(
                disc(s * 0.5, s * 0.5, s * 0.46),
                stroke([(s * 0.5, s * 0.26), (s * 0.5, s * 0.54)], s * 0.13),
            ),
            disc(s * 0.5, s * 0.73, s * 0.08),
        ),
    ),
    "down": (_line((0.22, 0.38), (0.5, 0.65), (0.78, 0.38)),),
    "up": (_line((0.22, 0.62), (0.5, 0.35), (0.78, 0.62)),),
    "close": (
        _line((0.24, 0.24), (0.76, 0.76)),
        _line((0.24, 0.76), (0.76, 0.24)),
    ),
    "search": (
        lambda s: ring(s * 0.42, s * 0.42, s * 0.26, max(1.1, s * 0.1)),
        _line((0.62, 0.62), (0.88, 0.88)),
    ),
    "hash": (
        _line((0.38, 0.14), (0.30, 0.86), w=0.09),
        _line((0.70, 0.14), (0.62, 0.86), w=0.09),
        _line((0.14, 0.37), (0.88, 0.37), w=0.09),
        _line((0.12, 0.64), (0.86, 0.64), w=0.09),
    ),
    "dots": tuple(_dot(k) for k in (0.22, 0.5, 0.78)),
    "send": (
        lambda s: minus(
            polygon(
                [
                    (s * 0.12, s * 0.16),
                    (s * 0.92, s * 0.5),
                    (s * 0.12, s * 0.84),
                    (s * 0.26, s * 0.5),
                ]
            ),
            stroke([(s * 0.26, s * 0.5), (s * 0.56, s * 0.5)], s * 0.07),
        ),
    ),
    "moon": (
        lambda s: minus(
            disc(s * 0.48, s * 0.52, s * 0.34), disc(s * 0.64, s * 0.38, s * 0.30)
        ),
    ),
    "sun": (
        lambda s: ring(s * 0.5, s * 0.5, s * 0.18, max(1.1, s * 0.09)),
        *(
            _line(*p, w=0.09)
            for p in (
                ((0.5, 0.08), (0.5, 0.16)),
                ((0.5, 0.84), (0.5, 0.92)),
                ((0.08, 0.5), (0.16, 0.5)),
                ((0.84, 0.5), (0.92, 0.5)),
                ((0.2, 0.2), (0.26, 0.26)),
                ((0.74, 0.74), (0.8, 0.8)),
                ((0.2, 0.8), (0.26, 0.74)),
                ((0.74, 0.26), (0.8, 0.2)),
            )
        ),
    ),
    "gear": (
        lambda s: ring(s * 0.5, s * 0.5, s * 0.16, max(1.1, s * 0.09)),
        lambda s: ring(s * 0.5, s * 0.5, s * 0.33, max(1.1, s * 0.09)),
        *(
            _line(*p, w=0.11)
            for p in (
                ((0.5, 0.08), (0.5, 0.17)),
                ((0.5, 0.83), (0.5, 0.92)),
                ((0.08, 0.5), (0.17, 0.5)),
                ((0.83, 0.5), (0.92, 0.5)),
                ((0.2, 0.2), (0.27, 0.27)),
                ((0.73, 0.73), (0.8, 0.8)),
                ((0.2, 0.8), (0.27, 0.73)),
                ((0.73, 0.27), (0.8, 0.2)),
            )
        ),
    ),
    "person": (
        lambda s: disc(s * 0.5, s * 0.33, s * 0.17),
        lambda s: minus(
            disc(s * 0.5, s * 0.92, s * 0.33), rounded(0, s * 0.88, s, s * 2, 0)
        ),
    ),
    "lock": (
        lambda s: rounded(s * 0.24, s * 0.45, s * 0.76, s * 0.85, s * 0.08),
        lambda s: minus(
            ring(s * 0.5, s * 0.42, s * 0.18, max(1.1, s * 0.09)),
            rounded(0, s * 0.46, s, s * 2, 0),
        ),
    ),
    "server": (
        lambda s: minus(
            rounded(s * 0.14, s * 0.16, s * 0.86, s * 0.46, s * 0.08),
            disc(s * 0.3, s * 0.31, s * 0.055),
        ),
        lambda s: minus(
            rounded(s * 0.14, s * 0.54, s * 0.86, s * 0.84, s * 0.08),
            disc(s * 0.3, s * 0.69, s * 0.055),
        ),
    ),
    "key": (
        lambda s: ring(s * 0.32, s * 0.5, s * 0.17, max(1.2, s * 0.1)),
        _line((0.5, 0.5), (0.9, 0.5), w=0.1),
        _line((0.74, 0.5), (0.74, 0.66), w=0.1),
        _line((0.88, 0.5), (0.88, 0.64), w=0.1),
    ),
}

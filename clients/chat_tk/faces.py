"""Round faces with initials, from a one-line letter form drawn here.

No font is asked: the letters are the same at every size and on every screen.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import cos, radians, sin

from chatd.clients.chat_tk.raster import Layer, disc, minus, png, rounded, stroke

Points = list[tuple[float, float]]

# Strokes in a box 1 wide and 1.4 high, parted by "|": each a run of points "x,y" and
# of arcs "@centre x,centre y,radius x,radius y,from degrees,to degrees,steps".
_LETTERS = {
    "A": "0,1.4 .5,0 1,1.4 | .18,.92 .82,.92",
    "B": (
        "0,0 0,1.4 | 0,0 .5,0 @.5,.34,.36,.34,-90,90,10 0,.68 | .5,.68 "
        "@.52,1.04,.42,.36,-90,90,10 0,1.4"
    ),
    "C": "@.55,.7,.55,.7,-45,-315,20",
    "D": "0,0 0,1.4 .35,1.4 @.35,.7,.6,.7,90,-90,14 0,0",
    "E": ".85,0 0,0 0,1.4 .85,1.4 | 0,.68 .72,.68",
    "F": ".85,0 0,0 0,1.4 | 0,.7 .72,.7",
    "G": "@.55,.7,.55,.7,-45,-360,20 .62,.7",
    "H": "0,0 0,1.4 | .95,0 .95,1.4 | 0,.68 .95,.68",
    "I": ".5,0 .5,1.4",
    "J": ".75,0 .75,1.02 @.39,1.02,.36,.38,0,170,8",
    "K": "0,0 0,1.4 | .9,0 0,.85 | .32,.58 .95,1.4",
    "L": ".08,0 .08,1.4 .88,1.4",
    "M": "0,1.4 0,0 .55,.95 1.1,0 1.1,1.4",
    "N": "0,1.4 0,0 .95,1.4 .95,0",
    "O": "@.5,.7,.5,.7,0,360,24",
    "P": "0,1.4 0,0 .5,0 @.5,.4,.42,.4,-90,90,10 0,.8",
    "Q": "@.5,.7,.5,.7,0,360,24 | .62,1.02 1,1.45",
    "R": "0,1.4 0,0 .5,0 @.5,.38,.4,.38,-90,90,10 0,.76 | .46,.76 .92,1.4",
    "S": "@.5,.36,.42,.36,-30,-270,12 @.5,1.04,.45,.36,-90,150,12",
    "T": "0,0 1,0 | .5,0 .5,1.4",
    "U": "0,0 0,.92 @.475,.92,.475,.48,180,0,12 .95,0",
    "V": "0,0 .5,1.4 1,0",
    "W": "-.1,0 .2,1.4 .5,.35 .8,1.4 1.1,0",
    "X": "0,0 .95,1.4 | .95,0 0,1.4",
    "Y": "0,0 .5,.75 1,0 | .5,.75 .5,1.4",
    "Z": ".05,0 .95,0 .05,1.4 .95,1.4",
    "0": "@.5,.7,.44,.7,0,360,24",
    "1": ".15,.3 .5,0 .5,1.4",
    "2": "@.48,.4,.42,.4,180,390,10 .05,1.4 .95,1.4",
    "3": "@.45,.36,.4,.36,-150,90,10 | @.45,1.06,.46,.36,-90,150,10",
    "4": ".72,1.4 .72,0 0,.98 1,.98",
    "5": ".85,0 .12,0 .08,.6 @.45,.96,.46,.44,-110,140,12",
    "6": ".68,0 .12,.75 | @.5,.96,.44,.44,0,360,18",
    "7": ".05,0 .95,0 .38,1.4",
    "8": "@.5,.36,.38,.36,0,360,16 | @.5,1.05,.45,.35,0,360,16",
    "9": ".32,1.4 .88,.65 | @.5,.44,.44,.44,0,360,18",
}


def _arc(numbers: str) -> Iterator[tuple[float, float]]:
    cx, cy, rx, ry, start, end, steps = map(float, numbers.split(","))
    for step in range(int(steps) + 1):
        angle = radians(start + (end - start) * step / steps)
        yield cx + rx * cos(angle), cy + ry * sin(angle)


@cache
def _strokes(letter: str) -> tuple[Points, ...]:
    found = []
    for stroke_ in _LETTERS[letter].split("|"):
        points: Points = []
        for word in stroke_.split():
            if word.startswith("@"):
                points += _arc(word[1:])
            else:
                x, y = word.split(",")
                points.append((float(x), float(y)))
        found.append(points)
    return tuple(found)


def face(size: int, text: str, ground: str, ink: str) -> bytes:
    """A PNG of a disc with one or two letters; other scripts get a person's figure."""
    middle = size / 2
    layers: list[Layer] = [(disc(middle, middle, middle - 0.4), ground)]
    if text and all(c in _LETTERS for c in text):
        layers += _letters(size, text, ink)
    else:
        layers.append((disc(middle, size * 0.38, size * 0.15), ink))
        body = disc(middle, size * 0.98, size * 0.32)
        beyond = minus(rounded(0, 0, size, size, 0), disc(middle, middle, middle - 0.4))
        layers.append((minus(body, beyond), ink))
    return png(size, size, layers)


def _letters(size: int, text: str, ink: str) -> Iterator[Layer]:
    unit = size * (0.245 if len(text) > 1 else 0.29)
    gap, thick = unit * 0.42, max(1.2, size * 0.058)
    boxes = []
    for letter in text:
        xs = [x for points in _strokes(letter) for x, _ in points]
        boxes.append((letter, min(xs), max(xs) - min(xs)))
    total = sum(width for _, _, width in boxes) * unit + gap * (len(text) - 1)
    left, top = (size - total) / 2, (size - 1.4 * unit) / 2
    for letter, least, width in boxes:
        for points in _strokes(letter):
            at = [(left + (x - least) * unit, top + y * unit) for x, y in points]
            yield stroke(at, thick), ink
        left += width * unit + gap

"""Colours and drawn pictures, without a display."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.clients.chat_tk import faces, icons, raster
from chatd.clients.chat_tk.palette import PALETTES, pairs, person_colour

PNG = b"\x89PNG\r\n\x1a\n"


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.1."""
    parts = [v / 255 for v in raster.rgb(colour)]
    r, g, b = (
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts
    )
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


class PictureTests(SynchronousTestCase):
    def test_all_text_can_be_read(self) -> None:
        """Each ink has 4.5:1 on each ground that it is written on (WCAG 2.1 AA)."""
        for palette in PALETTES.values():
            for ink, ground in pairs(palette):
                found = contrast(ink, ground)
                self.assertGreaterEqual(found, 4.5, (palette.name, ink, ground, found))

    def test_a_name_keeps_its_colour(self) -> None:
        """The colour follows from the name alone."""
        for palette in PALETTES.values():
            self.assertEqual(
                person_colour(palette, "mira"), person_colour(palette, "mira")
            )
            self.assertIn(person_colour(palette, "\ud83d"), palette.people)

    def test_icons_and_faces_are_pictures(self) -> None:
        """Every icon is drawn at any size; any name has a face."""
        for name in icons.ICONS:
            self.assertTrue(icons.icon(name, 13, "#112233").startswith(PNG))
        for text in ("MT", "B", "?", "ж", "", "Q8"):
            face = faces.face(22, text, "#000000", "#ffffff")
            self.assertTrue(face.startswith(PNG))

    def test_boxes_stretch_and_become_opaque(self) -> None:
        """A small box grows as wanted, and on a ground nothing shows through."""
        box = raster.rounded(0.5, 0.5, 6.5, 6.5, 3)
        rows = raster.stretch(raster.paint(7, 7, [(box, "#ff0000")]), 30, 20)
        self.assertEqual((len(rows), len(rows[0])), (20, 120))
        for row in raster.ground(rows, "#ffffff"):
            self.assertEqual(set(row[3::4]), {255})

    def test_colours_mix(self) -> None:
        """None, half and all of the second colour."""
        mixed = [raster.mix("#000000", "#ff8040", part) for part in (0, 0.5, 1)]
        self.assertEqual(mixed, ["#000000", "#804020", "#ff8040"])

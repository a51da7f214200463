"""What a slip looks like: a picture of black and white dots, because printers know no Arabic.

Letters are joined and put in their visual order here (arabic-reshaper, python-bidi), then drawn with a font that has
the joined forms (Noto Sans Arabic, SIL Open Font License, fetched by `make setup`). So a slip looks the same on every
machine, whatever its system libraries can shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import arabic_reshaper
import segno
from bidi.algorithm import get_display  # the one that mirrors brackets
from PIL import Image, ImageDraw, ImageFont

FONTS = Path(__file__).parents[1] / "static" / "vendor" / "fonts"
BOLD, MEDIUM = "NotoSansArabic_700Bold.ttf", "NotoSansArabic_500Medium.ttf"
_NOTO, _DEJAVU = (
    "/usr/share/fonts/truetype/noto/NotoSansArabic-",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans",
)
FALLBACKS = {
    BOLD: (f"{_NOTO}Bold.ttf", f"{_DEJAVU}-Bold.ttf"),
    MEDIUM: (f"{_NOTO}Regular.ttf", f"{_DEJAVU}.ttf"),
}
"""System fonts with the joined forms and Latin digits, where `make setup` has not run."""
MARGIN = 16
_reshaper = arabic_reshaper.ArabicReshaper({"delete_harakat": True, "support_ligatures": True})


class NoFont(RuntimeError):
    """No font that can write a slip is on this machine."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text. `size` in dots; `rtl`: the reading direction of its language."""

    text: str
    size: int = 30
    bold: bool = False
    rtl: bool = True
    gap: int = 6
    """Dots of air above."""


@dataclass(frozen=True, slots=True)
class Slip:
    """All that stands on a slip, from top to bottom. `label` is drawn as large as the paper allows."""

    head: tuple[Line, ...]
    label: str
    body: tuple[Line, ...]
    address: str
    """What the QR code leads to."""
    foot: tuple[Line, ...]
    mark: str = ""
    """Written under the label of a reprint."""


def visual(text: str, *, rtl: bool) -> str:
    """A text as it is drawn from left to right: letters joined, right-to-left parts turned round."""
    return str(get_display(_reshaper.reshape(text), base_dir="R" if rtl else "L"))


def picture(slip: Slip, *, dots: int = 576) -> Image.Image:
    """The slip as one-bit dots, `dots` wide. Raises NoFont."""
    drawn = Image.new("L", (dots, 4000), 255)
    pen = ImageDraw.Draw(drawn)
    scale = dots / 576
    top = 8
    for line in slip.head:
        top = _write(pen, line, top, dots, scale)
    top = _label(pen, slip.label, top + round(26 * scale), dots)
    if slip.mark:
        top = _write(pen, Line(slip.mark, 24, gap=0), top, dots, scale)
    pen.line((MARGIN, top + 10, dots - MARGIN, top + 10), fill=0, width=3)
    top += 16
    for line in slip.body:
        top = _write(pen, line, top, dots, scale)
    top = _qr(drawn, slip.address, top + round(14 * scale), dots)
    for line in slip.foot:
        top = _write(pen, line, top, dots, scale)
    return drawn.crop((0, 0, dots, top + 12)).point(lambda value: 255 if value > 140 else 0, mode="1")


def _write(pen: ImageDraw.ImageDraw, line: Line, top: int, dots: int, scale: float) -> int:
    """Draw a line in the middle, broken where it is too wide; returns where the next begins."""
    size = max(16, round(line.size * scale))
    font = _font(BOLD if line.bold else MEDIUM, size)
    top += round(line.gap * scale)
    for part in _broken(line, font, dots - 2 * MARGIN):
        shown = visual(part, rtl=line.rtl)
        wide = font.getlength(shown)
        pen.text(((dots - wide) / 2, top), shown, font=font, fill=0, anchor="la")
        top += round(size * 1.42)
    return top


def _broken(line: Line, font: ImageFont.FreeTypeFont, room: int) -> list[str]:
    """The text in pieces that fit, broken between words in reading order."""
    pieces: list[str] = []
    for word in line.text.split():
        longer = f"{pieces[-1]} {word}" if pieces else word
        if pieces and font.getlength(visual(longer, rtl=line.rtl)) <= room:
            pieces[-1] = longer
        else:
            pieces.append(word)
    return pieces


def _label(pen: ImageDraw.ImageDraw, label: str, top: int, dots: int) -> int:
    size = round(dots * 0.36)
    while size > 40 and _font(BOLD, size).getlength(label) > dots - 2 * MARGIN:
        size -= 6
    font = _font(BOLD, size)
    left, above, right, below = font.getbbox(label, anchor="la")
    pen.text(((dots - (right - left)) / 2 - left, top - above), label, font=font, fill=0, anchor="la")
    return top + round(below - above) + round(size * 0.12)


def _qr(drawn: Image.Image, address: str, top: int, dots: int) -> int:
    code = segno.make(address, error="m", micro=False)
    rows = list(code.matrix_iter(border=2))
    unit = max(3, round(dots * 0.46) // len(rows))
    side = unit * len(rows)
    square = Image.new("L", (len(rows), len(rows)), 255)
    square.putdata([0 if dark else 255 for row in rows for dark in row])
    drawn.paste(square.resize((side, side), Image.Resampling.NEAREST), ((dots - side) // 2, top))
    return top + side


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    # BASIC: the text comes joined and in order, a second shaping would spoil it.
    for path in (FONTS / name, *map(Path, FALLBACKS[name])):
        if path.exists():
            return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    raise NoFont(f"no font for slips: {FONTS / name} is missing (make setup fetches it)")

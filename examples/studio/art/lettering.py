"""Fonts and setting of text: wrapped to a width, as large as fits."""

import functools
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_FOLDERS = (
    Path("/usr/share/fonts/truetype/liberation"),
    Path("/usr/share/fonts/truetype/liberation2"),
    Path("/usr/share/fonts/liberation"),
    Path("/usr/share/fonts/liberation-sans"),
    Path("/usr/share/fonts/truetype/dejavu"),
    Path("/usr/share/fonts/dejavu"),
    Path("/usr/share/fonts/TTF"),
    Path("/System/Library/Fonts/Supplemental"),
    Path("C:/Windows/Fonts"),
)
_BOLD = ("LiberationSans-Bold.ttf", "Arial Bold.ttf", "arialbd.ttf", "DejaVuSans-Bold.ttf")
_REGULAR = ("LiberationSans-Regular.ttf", "Arial.ttf", "arial.ttf", "DejaVuSans.ttf")
# What Pillow's built-in face can draw; used only where the machine has none of the fonts above.
_BUILT_IN_LIMIT = 0x7F


@functools.cache
def _path(*, bold: bool) -> Path | None:
    names = _BOLD if bold else _REGULAR
    found = (folder / name for folder in _FOLDERS for name in names)
    return next((path for path in found if path.is_file()), None)


@functools.lru_cache(maxsize=256)
def font(size: int, *, bold: bool) -> Font:
    """``size`` in pixels. Falls back to Pillow's own face, so a bare machine can draw too."""
    path = _path(bold=bold)
    return ImageFont.truetype(str(path), size) if path is not None else ImageFont.load_default(size)


def drawable(text: str) -> str:
    """The text in letters the chosen font has: without a system font, accents are dropped."""
    if _path(bold=True) is not None and _path(bold=False) is not None:
        return text
    plain = unicodedata.normalize("NFKD", text)
    return "".join(char for char in plain if ord(char) <= _BUILT_IN_LIMIT) or "?"


@dataclass(frozen=True)
class Setting:
    """Wrapped lines in one font. Sizes in pixels."""

    lines: tuple[str, ...]
    font: Font
    size: int
    leading: int

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def spacing(self) -> int:
        """What Pillow adds between lines, beyond the font's own height, to reach ``leading``."""
        return self.leading - self.size

    @property
    def height(self) -> int:
        return self.leading * (len(self.lines) - 1) + self.size


def fit(text: str, *, width: int, height: int, largest: int, smallest: int, bold: bool) -> Setting:
    """The largest setting of ``text`` inside ``width`` × ``height``; cut with an ellipsis at ``smallest``."""
    text = drawable(text)
    for size in range(largest, smallest, -max(2, largest // 24)):
        setting = _set(text, width, size, bold=bold)
        if setting.height <= height and _longest(setting) <= width:
            return setting
    return _cut(_set(text, width, smallest, bold=bold), height)


def line_width(text: str, face: Font) -> int:
    return round(face.getlength(text))


def _set(text: str, width: int, size: int, *, bold: bool) -> Setting:
    face = font(size, bold=bold)
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lines.extend(_wrap(paragraph, width, face))
    return Setting(tuple(lines), face, size, round(size * (1.12 if bold else 1.4)))


def _wrap(paragraph: str, width: int, face: Font) -> list[str]:
    lines: list[str] = []
    current = ""
    for word in paragraph.split():
        candidate = f"{current} {word}".strip()
        if line_width(candidate, face) <= width:
            current = candidate
            continue
        if current:
            lines.append(current)
        pieces = _break(word, width, face)
        lines.extend(pieces[:-1])
        current = pieces[-1]
    return [*lines, current]


def _break(word: str, width: int, face: Font) -> list[str]:
    """A word wider than the line (an address, a script without blanks) is broken where it must be."""
    pieces = [""]
    for char in word:
        if pieces[-1] and line_width(pieces[-1] + char, face) > width:
            pieces.append("")
        pieces[-1] += char
    return pieces


def _longest(setting: Setting) -> int:
    """A broken word counts as too wide, so that a smaller size is tried first."""
    return max(line_width(line, setting.font) for line in setting.lines)


def _cut(setting: Setting, height: int) -> Setting:
    count = max(1, (height - setting.size) // setting.leading + 1)
    if len(setting.lines) <= count:
        return setting
    kept = list(setting.lines[:count])
    kept[-1] = kept[-1].rstrip(".,;: ") + "…"
    return Setting(tuple(drawable(line) for line in kept), setting.font, setting.size, setting.leading)

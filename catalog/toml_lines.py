"""Which line of a TOML file each key and table stands on, so that mistakes can be shown where they are.

``tomllib`` gives values without positions. This walks a text that tomllib has already accepted, so it
needs to know only enough of the grammar to find keys and to skip values.
"""

import re
import tomllib
from bisect import bisect_left

Path = tuple[str | int, ...]
_KEY = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")
_STRINGS = ('"""', "'''", '"', "'")


def line_index(text: str) -> dict[Path, int]:
    """The 1-based line of every key, table, list element and inline key, by its path."""
    return _Walker(text).walk()


def nearest_line(index: dict[Path, int], path: Path) -> int | None:
    """The line of a path, or of the closest thing around it that the file spells out."""
    for end in range(len(path), 0, -1):
        line = index.get(path[:end])
        if line is not None:
            return line
    return None


class _Walker:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counts: dict[Path, int] = {}
        self._index: dict[Path, int] = {}
        self._line_ends = [found.start() for found in re.finditer("\n", text)]

    def walk(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip_blank():
            if self._text.startswith("[[", self._at):
                self._at += 2
                table = self._element(self._keys("]"))
                self._at += 2
            elif self._text[self._at] == "[":
                self._at += 1
                table = self._inside(self._keys("]"))
                self._mark(table)
                self._at += 1
            else:
                self._pair(table)
        return self._index

    def _element(self, keys: Path) -> Path:
        """The path of a new ``[[…]]`` element, inside the latest element of any list around it."""
        parent = (*self._inside(keys[:-1]), keys[-1])
        position = self._counts.get(parent, -1) + 1
        self._counts[parent] = position
        path = (*parent, position)
        self._mark(path)
        return path

    def _inside(self, keys: Path) -> Path:
        path: Path = ()
        for key in keys:
            path = (*path, key)
            if path in self._counts:
                path = (*path, self._counts[path])
        return path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = (*table, *self._keys("="))
        self._index.setdefault(path, line)
        self._at += 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip_blank()
        opening = self._text[self._at]
        quote = next((mark for mark in _STRINGS if self._text.startswith(mark, self._at)), None)
        if quote is not None:
            self._string(quote)
        elif opening == "[":
            self._list(path)
        elif opening == "{":
            self._inline(path)
        else:
            while self._at < len(self._text) and self._text[self._at] not in ",]}\n#":
                self._at += 1

    def _list(self, path: Path) -> None:
        self._at += 1
        position = 0
        while self._skip_blank() and self._text[self._at] != "]":
            self._mark((*path, position))
            self._value((*path, position))
            position += 1
            self._comma()
        self._at += 1

    def _inline(self, path: Path) -> None:
        self._at += 1
        while self._skip_blank() and self._text[self._at] != "}":
            self._pair(path)
            self._comma()
        self._at += 1

    def _comma(self) -> None:
        if self._skip_blank() and self._text[self._at] == ",":
            self._at += 1

    def _string(self, quote: str) -> None:
        self._at += len(quote)
        while not self._text.startswith(quote, self._at):
            self._at += 2 if self._text[self._at] == "\\" and '"' in quote else 1
        self._at += len(quote)

    def _keys(self, end: str) -> Path:
        keys: list[str | int] = []
        while self._text[self._at] != end:
            if self._text[self._at] == ".":
                self._at += 1
            found = _KEY.match(self._text, self._at)
            if found is None:
                raise ValueError(f"No key at line {self._line()}.")
            keys.append(next(part for part in found.groups() if part is not None))
            self._at = found.end()
        return tuple(keys)

    def _skip_blank(self) -> bool:
        """Move past white space and comments; False at the end of the text."""
        while self._at < len(self._text):
            if self._text[self._at].isspace():
                self._at += 1
            elif self._text[self._at] == "#":
                newline = self._text.find("\n", self._at)
                self._at = len(self._text) if newline < 0 else newline
            else:
                return True
        return False

    def _mark(self, path: Path) -> None:
        self._index.setdefault(path, self._line())

    def _line(self) -> int:
        return bisect_left(self._line_ends, self._at) + 1


def syntax_error_line(error: tomllib.TOMLDecodeError) -> int | None:
    """The line tomllib names in its message, if it names one."""
    found = re.search(r"at line (\d+)", str(error))
    return int(found.group(1)) if found else None

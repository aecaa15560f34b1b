"""Reading pages as people do: the words of a page, and the price tables cell by cell."""

import re
from html.parser import HTMLParser

_APART = {"td", "th", "tr", "p", "li", "option", "div", "h1", "h2", "h3", "dt", "dd", "button", "label"}
_UNSEEN = {"script", "style", "svg", "template"}


def words(html: str) -> str:
    """What a page says: no tags, single spaces, blocks apart from each other."""
    reader = _Reader()
    reader.feed(html)
    return re.sub(r"[\s\xa0\u202f]+", " ", "".join(reader.pieces)).strip()


def body(html: str) -> str:
    """The words of a page's own part, without navigation."""
    main = re.search(r"<main\b.*</main>", html, re.DOTALL)
    return words(main.group(0) if main else html)


def cells(html: str) -> dict[tuple[str, str], str]:
    """The price tables: (model, operation) to what the cell says. A list of operations is titled by its model."""
    found: dict[tuple[str, str], str] = {}
    for card in re.split(r'<section class="card', html)[1:]:
        title = re.search(r'<h\d class="card-title">(.*?)</h\d>', card, re.DOTALL)
        rows = [_row(row) for row in re.findall(r"<tr\b[^>]*>(.*?)</tr>", card, re.DOTALL)]
        if not rows:
            continue
        (first, *columns), *lines = rows
        for name, *said in lines:
            for column, text in zip(columns, said, strict=True):
                key = (
                    (words(title.group(1)) if title else "", name) if first == "Operation" else (name, column)
                )
                found[key] = text
    return found


def _row(html: str) -> list[str]:
    """The cells of a row; what a badge or a note says of a model is no part of its name."""
    name, *said = re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", html, re.DOTALL)
    return [words(re.split('<span class="(?:badge|price-note)', name)[0]), *map(words, said)]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN
        plain_span = tag == "span" and (not attrs or dict(attrs).get("class") == "price-note")
        if tag in _APART or plain_span:
            self.pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN
        if tag in _APART:
            self.pieces.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(data)

"""What is wrong with a profile file, all at once, each problem on its line."""

from dataclasses import dataclass

from catalog.toml_lines import Path, nearest_line


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: the line it stands on (None: the file as a whole), the key, and the reason."""

    line: int | None
    where: str
    message: str

    def __str__(self) -> str:
        return (
            f"line {self.line}: {self.where}: {self.message}"
            if self.line
            else f"{self.where}: {self.message}"
        )


class InvalidProfile(Exception):
    """A profile file that cannot be loaded; nothing of it was."""

    def __init__(self, name: str, problems: list[Problem]) -> None:
        self.name = name
        self.problems = sorted(
            set(problems), key=lambda problem: (problem.line or 0, problem.where, problem.message)
        )
        super().__init__("\n".join(f"{name}: {problem}" for problem in self.problems))


# What is said of these keys, or of a table as a whole, may only follow from a mistake beside them.
_ECHOES = {"price", "low", "high", "min", "max", "default", "derived", "limits", "times", "add", "rank"}


class Problems:
    """Collects problems by the path of the key they are about."""

    def __init__(self, index: dict[Path, int]) -> None:
        self._index = index
        self._muted: set[Path] = set()
        self.found: list[Problem] = []

    def mute(self, table: Path) -> None:
        """A value of this table is wrong and replaced: pass over what may only be its echo."""
        self._muted.add(table)

    def add(self, path: Path, message: str) -> None:
        """Note a mistake at a key; a key the file leaves out is shown where its table begins."""
        if path in self._muted or (path[:-1] in self._muted and path[-1] in _ECHOES):
            return
        self.found.append(Problem(nearest_line(self._index, path), shown(path), message))


def shown(path: Path) -> str:
    """A path as people write it: ``model[2].prices[0].price``, counted from 1."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "file"

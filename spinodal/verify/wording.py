"""What things are called in messages: as the document writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from spinodal.verify.symbols import plain
from spinodal.verify.tree import Node, walk

_FUNCTIONS = {"tail": "H", "normal": r"\Phi", "density": "G", "step": r"\Theta", "mills": "G/H", "log": r"\ln"}
#: No letter is longer; what is has been expanded from something else.
_LONGEST = 30


class Wording:
    """The author's words for names of the model, letters and functions.

    Args:
        text: the document.
        author: the symbol map: keys and what they stand for.
        trees: the equation's sides, resolved, with their places in the document.
    """

    def __init__(self, text: str, author: Mapping[str, Node], trees: Iterable[Node]) -> None:
        self._names: dict[str, str] = {}
        for tree in trees:
            for node in walk(tree):
                if node.kind == "sym" and str(node.value).startswith("@") and 0 <= node.start < node.end:
                    written = " ".join(text[node.start : node.end].split())
                    if len(written) <= _LONGEST and not set(written) & set("=+(&"):
                        self._names.setdefault(str(node.value)[1:], written)
        for key, meant in author.items():
            if meant.kind == "sym":
                self._names[str(meant.value)[1:]] = plain(key)

    def written(self) -> dict[str, str]:
        """Names of the model that the equation writes as letters of its own: the name, and what stands there."""
        return dict(self._names)

    def name(self, name: str) -> str:
        """A name of the model: as the equation or the symbol map writes it, else as it is called here."""
        root = name.removesuffix("_sq")
        if name not in self._names and root != name:
            return f"{self._names.get(root, plain(root))}^2"
        return self._names.get(name, name)

    def key(self, key: str) -> str:
        """A letter of the document's own."""
        return plain(key)

    def function(self, name: str) -> str:
        """A function."""
        return _FUNCTIONS.get(name, name)


#: Where there is no document.
PLAIN = Wording("", {}, ())

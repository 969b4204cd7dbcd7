"""Symbols with their accents, fonts, subscripts, primes and superscripts, as canonical keys."""

from __future__ import annotations

from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.cursor import Cursor, show
from spinodal.verify.symbols import ACCENTS, FONTS, GREEK, join, subscript_text


class Names(Cursor):
    """Reads symbols."""

    def _at_symbol(self) -> bool:
        token = self.peek()
        if token.kind == "letter":
            return True
        if token.kind == "word":
            return True
        return token.kind == "command" and (token.text in GREEK or token.text in ACCENTS or token.text in FONTS)

    def _is_declared_symbol(self) -> bool:
        save = self.next
        try:
            key = self.symbol_key()
        except UnreadableError:
            return False
        finally:
            self.next = save
        return key in self.declared.symbols

    def symbol_key(self) -> str:
        """Read a symbol with its accents, subscript, primes and (if declared) superscript; its canonical key."""
        token = self.take()
        if token.kind == "command" and token.text in ("delta", "Delta") and self._at_symbol():
            save = self.next
            key = f"delta {self.symbol_key()}"
            if key in self.declared.symbols:
                return key
            self.next = save
            return self._decorated(token.text)
        if token.kind == "command" and token.text in ACCENTS | FONTS:
            inner = self._accented()
            if inner.startswith("delta ") and token.text in ACCENTS:
                return self._decorated(f"delta {token.text}({inner[6:]})")
            return self._decorated(f"{token.text}({inner})" if token.text in ACCENTS else f"{inner}@{_font(token.text)}")
        if token.kind in ("letter", "word") or (token.kind == "command" and token.text in GREEK):
            return self._decorated(token.text)
        raise UnreadableError(f"{show(token)} is no symbol", token.start)

    def _accented(self) -> str:
        if self.at("mark", "{"):
            self.take()
            key = self.symbol_key()
            self.expect("}")
            return key
        token = self.peek()
        if token.kind == "command" and token.text in ACCENTS | FONTS:
            self.take()
            inner = self._accented()
            return f"{token.text}({inner})" if token.text in ACCENTS else f"{inner}@{_font(token.text)}"
        if not self._at_symbol():
            raise UnreadableError("an accent without a letter", token.start)
        self.take()
        return token.text

    def _decorated(self, base: str) -> str:
        """Attach subscript, primes and declared superscripts; ``hat(q_d)`` and ``hat(q)_d`` are the same."""
        subscript, primes, superscript = "", "", ""
        for _ in range(3):
            if self.at("mark", "_") and not subscript:
                self.take()
                subscript = self._script()
            elif self.at("mark", "'") and not primes:
                while self.at("mark", "'"):
                    self.take()
                    primes += "'"
            elif self.at("mark", "^") and not superscript:
                save = self.next
                self.take()
                try:
                    text = self._script()
                except UnreadableError:
                    text = ""
                later = ""
                if self.at("mark", "_") and not subscript:
                    after = self.next
                    self.take()
                    try:
                        later = self._script()
                    except UnreadableError:
                        self.next = after
                        later = ""
                key = _normal(join(base, subscript or later, primes + text))
                known = key in self.declared.symbols or key in self.declared.functions
                if text and (known or subscript_text(text) == "star"):
                    superscript, subscript = text, subscript or later
                else:
                    self.next = save
                    break
        return _normal(join(base, subscript, primes + superscript))

    def _script(self) -> str:
        """The text of a subscript or superscript."""
        if not self.at("mark", "{"):
            token = self.take()
            if token.kind == "end":
                raise UnreadableError("a subscript is missing", token.start)
            return token.text[:1] if token.kind == "number" else token.text
        opening = self.take()
        parts: list[str] = []
        level = 0
        while True:
            token = self.take()
            if token.kind == "end":
                raise UnreadableError("a brace that is not closed", opening.start)
            if token.kind == "mark" and token.text == "{":
                level += 1
            elif token.kind == "mark" and token.text == "}":
                if level == 0:
                    return "".join(parts)
                level -= 1
            else:
                parts.append(token.text)


def _font(name: str) -> str:
    return {"mathcal": "cal", "mathscr": "cal", "cal": "cal", "mathfrak": "frak", "mathbb": "bb"}[name]


def _normal(key: str) -> str:
    """``hat(q_d)`` as ``hat(q)_d``."""
    for accent in ACCENTS:
        head = f"{accent}("
        if key.startswith(head) and key.endswith(")") and "_" in key and key.count("(") == 1:
            base, _, subscript = key[len(head) : -1].partition("_")
            return f"{head}{base})_{subscript}"
    return key

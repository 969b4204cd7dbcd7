r"""Symbols as papers decorate them, reduced to one canonical key: ``\hat{q}_{d}`` and ``\hat q_d`` are ``hat(q)_d``.

The default meaning of a key is the name it looks like (``hat(q)_d`` is ``q_d_hat``); an author's map says otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

ACCENTS = frozenset(["hat", "tilde", "bar", "dot", "check", "vec", "breve", "acute", "ring", "mathring"])
FONTS = frozenset(["mathcal", "mathscr", "mathfrak", "mathbb", "cal"])

GREEK = frozenset(
    (
        "alpha beta gamma delta epsilon varepsilon zeta eta theta iota kappa lambda mu nu xi rho varrho sigma varsigma "
        "tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell hbar varpi"
    ).split()
)

#: Spellings of the same subscript.
_SUBSCRIPTS = {"star": "star", "*": "star", "ast": "star", "bigstar": "star"}


def subscript_text(text: str) -> str:
    """The canonical text of a subscript."""
    return _SUBSCRIPTS.get(text, text)


def join(base: str, subscript: str = "", superscript: str = "") -> str:
    """The key of a decorated symbol."""
    key = base
    if subscript:
        key += f"_{subscript_text(subscript)}"
    if superscript:
        key += f"^{subscript_text(superscript)}"
    return key


def candidates(key: str) -> Iterator[str]:
    """The names that a key may stand for when nobody says otherwise, likeliest first.

    ``hat(q)_1`` gives ``q_1_hat`` and ``q1_hat``; ``hat(tilde(q))`` gives ``q_ref_hat``; ``kappa_*`` gives ``kappa_star``.
    """
    if key.startswith("delta "):
        yield from (f"d{name}" for name in candidates(key[6:]))
        return
    accent, inner, rest = _peel(key)
    second, innermost, _ = _peel(inner)
    if {accent, second} == {"hat", "tilde"}:  # the conjugate of a reference's overlap
        accent, inner = "hat tilde", innermost
    suffixes = {"hat": ["_hat"], "tilde": ["_ref"], "hat tilde": ["_ref_hat"]}.get(accent, [""] if not accent else [])
    stem, mark, tail = (inner + rest).partition("_")
    for suffix in suffixes:
        if not mark:
            yield stem + suffix
        else:
            tail = tail.replace(",", "")
            yield f"{stem}_{tail}{suffix}"
            yield f"{stem}{tail}{suffix}"


def _peel(key: str) -> tuple[str, str, str]:
    if key.endswith(")") or ")_" in key:
        accent, mark, rest = key.partition("(")
        if mark and accent in ACCENTS:
            inner, _, after = rest.rpartition(")")
            return accent, inner, after
    return "", key, ""


def default_name(key: str, names: Collection[str]) -> str | None:
    """The name among ``names`` that a key looks like, or None."""
    return next((name for name in candidates(key) if name in names), None)


def difference_keys(names: Collection[str]) -> frozenset[str]:
    r"""The keys such as ``delta q`` (``\delta q``) that name an order parameter: no product of two letters."""
    found = set()
    for name in names:
        if name.startswith("d") and len(name) > 1:
            stem = name[1:].removesuffix("_hat")
            found.add(f"delta hat({stem})" if name.endswith("_hat") else f"delta {stem}")
    return frozenset(found)


def plain(key: str) -> str:
    r"""A key as an author writes it.

    >>> plain("hat(q)_d"), plain("G@cal_S"), plain("kappa_star")
    ('\\hat{q}_{d}', '\\mathcal{G}_{S}', '\\kappa_{\\star}')
    """
    if key.startswith("delta "):
        return rf"\delta {plain(key[6:])}"
    accent, inner, rest = _peel(key)
    if accent:
        return rf"\{accent}{{{plain(inner)}}}{_scripts(rest)}"
    base = key.partition("_")[0].partition("^")[0]
    letter, _, font = base.partition("@")
    shown = rf"\{letter}" if len(letter) > 1 and letter in GREEK else letter
    return (rf"\math{font}{{{shown}}}" if font else shown) + _scripts(key[len(base) :])


def _scripts(text: str) -> str:
    head, _, superscript = text.partition("^")
    subscript = head.removeprefix("_")
    subscript = rf"\{subscript}" if subscript in GREEK or subscript == "star" else subscript
    superscript = r"\star" if superscript == "star" else superscript
    return (f"_{{{subscript}}}" if subscript else "") + (f"^{{{superscript}}}" if superscript else "")

"""The author's symbol map and a spec's formulas as trees in the model's names; letters that a temperature gives."""

from __future__ import annotations

import re
from collections.abc import Collection

from spinodal.spec import FormulaError, parse_formula
from spinodal.spec import ast as formula
from spinodal.spec.errors import did_you_mean
from spinodal.spec.types import Loss
from spinodal.verify.documents import Document
from spinodal.verify.errors import UnreadableError
from spinodal.verify.grammar.lexer import tokenize
from spinodal.verify.meaning import FREE_ENTROPY
from spinodal.verify.statements import symbol_alone
from spinodal.verify.tree import Node, add, fn, mul, neg, num, power, sym

_NAME = re.compile(r"[A-Za-z_]\w*")
_FUNCTIONS = {"H": "tail", "step": "step", "sign": "sign"}


def symbol_map(
    document: Document, offset: int, names: Collection[str]
) -> tuple[dict[str, Node], dict[str, tuple[str, int]]]:
    """The author's letters at a place of the document: entries above it, then those below that add to them.

    Returns:
        Key to tree; and key to the reason why an entry has no meaning for this model, and its place.

    Raises:
        SpecError: for an entry that is not well formed.
    """
    found: dict[str, Node] = {}
    refused: dict[str, tuple[str, int]] = {}
    above = [entry for entry in document.symbols if entry[0] <= offset]
    below = [entry for entry in document.symbols if entry[0] > offset]
    seen: dict[tuple[int, str], str] = {}
    for place, left, right in [*reversed(below), *above]:
        try:
            key = symbol_alone([t for t in tokenize(left, macros=document.macros) if t.kind != "end"])
        except UnreadableError as error:
            raise document.error(f"{left}: {error.reason}", place, r"write 'R = r, \hat{R} = r_hat'") from None
        if key is None:
            raise document.error(f"{left}: not a symbol", place, r"write 'R = r, \hat{R} = r_hat'")
        if seen.setdefault((place, key), right) != right:
            reason = f"{left} is declared to be {right} and {seen[place, key]}: one letter stands for one quantity"
            raise document.error(reason, place, "give one of them another letter")
        mentioned = set(_NAME.findall(right)) - {"sqrt", "pi", "exp", "log"}
        unknown = sorted(mentioned - set(names))
        found.pop(key, None)
        refused.pop(key, None)
        if unknown:
            close = next((cure for name in unknown if (cure := did_you_mean(name, names))), None)
            reason = f"{left} is declared to be {right}, but the model has no {', '.join(unknown)}"
            refused[key] = (f"{reason}: {close}" if close else reason), place
            continue
        try:
            found[key] = formula_tree(parse_formula(right, parameters=mentioned).root)
        except FormulaError as error:
            raise document.error(f"{left} = {right}: {error.message}", place, error.cure or "") from None
    return found, refused


def formula_tree(node: formula.Node) -> Node:
    """A formula of a spec or of a symbol map as a tree in model names."""
    match node:
        case formula.Number(value=value):
            return num(value)
        case formula.Name(name=name):
            return Node("const", "pi") if name == "pi" else sym(f"@{name}")
        case formula.Negate(operand=operand):
            return neg(formula_tree(operand))
        case formula.Call(function=function, arguments=arguments):
            return fn(_FUNCTIONS.get(function, function), *(formula_tree(a) for a in arguments))
        case formula.Arithmetic(operator=operator, left=left, right=right):
            a, b = formula_tree(left), formula_tree(right)
            if operator == "+":
                return add(a, b)
            if operator == "-":
                return add(a, neg(b))
            if operator == "*":
                return mul(a, b)
            return Node("div", None, (a, b)) if operator == "/" else power(a, b)
    raise FormulaError("a number is needed here", 0)


def temperature_of(loss: Loss) -> Node | None:
    """A model's temperature, if it has one that is not 0."""
    tree = formula_tree(loss.temperature.root) if loss.temperature is not None else num(0)
    return None if tree == num(0) else tree


def of_temperature(loss: Loss) -> dict[str, Node]:
    r"""What ``\beta``, ``f`` and ``k_B`` stand for where a model has a temperature: 1/T, -T times the free entropy, 1."""
    temperature = temperature_of(loss)
    if temperature is None:
        return {}
    return {
        "beta": Node("div", None, (num(1), temperature)),
        "k_B": num(1),  # temperatures are energies
        "f": neg(mul(temperature, sym(f"@{FREE_ENTROPY}"))),
    }

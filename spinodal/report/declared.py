"""What a spec declares, as a reader writes it: formulas with the order of their factors kept, in the author's letters."""

from __future__ import annotations

from spinodal.report.notation import Scribe
from spinodal.spec.ast import Arithmetic, Call, Compare, Logic, Name, Negate, Node, Number
from spinodal.spec.printing import to_text
from spinodal.symbolic.formulas import symbol

_COMPARISONS = {"<": "<", "<=": r"\leq", ">": ">", ">=": r"\geq"}
_FUNCTIONS = {
    "log": r"\log",
    "tanh": r"\tanh",
    "sin": r"\sin",
    "cos": r"\cos",
    "max": r"\max",
    "min": r"\min",
    "step": r"\Theta",
    "H": "H",
}
#: Binding strengths of what is written without parentheses of its own.
_SUM, _PRODUCT, _POWER, _ATOM = range(1, 5)


def formula(node: Node, scribe: Scribe) -> str:
    """A declared formula as LaTeX."""
    return _write(node, scribe)[0]


def _write(node: Node, scribe: Scribe) -> tuple[str, int]:
    """The LaTeX of a node, and how strongly it binds."""

    def within(part: Node, weakest: int) -> str:
        text, strength = _write(part, scribe)
        return text if strength >= weakest else rf"\left({text}\right)"

    match node:
        case Number():
            text = to_text(node)
            return text, _ATOM if text.replace(".", "").isdigit() else _SUM
        case Name(name="pi"):
            return r"\pi", _ATOM
        case Name(name=name):
            return scribe.write(symbol(name)), _ATOM
        case Negate(operand=operand):
            return f"-{within(operand, _PRODUCT)}", _SUM
        case Arithmetic(operator="+" | "-" as operator, left=left, right=right):
            return f"{within(left, _SUM)} {operator} {within(right, _PRODUCT)}", _SUM
        case Arithmetic(operator="*", left=Negate(operand=operand), right=right):
            return f"-{_write(Arithmetic('*', operand, right), scribe)[0]}", _SUM
        case Arithmetic(operator="*", left=left, right=right):
            dot = r" \cdot " if isinstance(right, Number) else r"\, "
            return f"{within(left, _PRODUCT)}{dot}{within(right, _PRODUCT)}", _PRODUCT
        case Arithmetic(operator="/", left=left, right=right):
            return rf"\frac{{{within(left, _SUM)}}}{{{within(right, _SUM)}}}", _PRODUCT
        case Arithmetic(left=left, right=right):
            return f"{within(left, _ATOM)}^{{{within(right, _SUM)}}}", _POWER
        case Call(function=name, arguments=arguments):
            return _call(name, [within(argument, _SUM) for argument in arguments])
        case Compare(operator=sign, left=left, right=right):
            return f"{within(left, _SUM)} {_COMPARISONS[sign]} {within(right, _SUM)}", _SUM
        case Logic(operator=word, operands=operands):
            parts = [within(part, 0) if not isinstance(part, Logic) else f"[{within(part, 0)}]" for part in operands]
            return rf" \text{{ {word} }} ".join(parts), 0


def _call(name: str, arguments: list[str]) -> tuple[str, int]:
    inside = ", ".join(arguments)
    match name:
        case "sqrt":
            return rf"\sqrt{{{inside}}}", _ATOM
        case "abs":
            return rf"\left|{inside}\right|", _ATOM
        case "exp":
            return f"e^{{{inside}}}", _POWER
    head = _FUNCTIONS.get(name, rf"\operatorname{{{name}}}")
    return rf"{head}\!\left({inside}\right)", _ATOM

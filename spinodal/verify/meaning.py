"""What an author's letters stand for.

In order: variables bound by an integral or a sum; the document's symbol map; order parameters and parameters of the model
by the name they look like; the document's own definitions; quantities that the derivation defines (``kappa_1``, ``Q``).
A resolved tree contains bound variables and model names only; a model name is a symbol whose key begins with ``@``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from spinodal.verify.derivatives import derivative
from spinodal.verify.errors import UnreadableError
from spinodal.verify.extrema import STATIONARY
from spinodal.verify.symbols import default_name, plain
from spinodal.verify.tree import Node, add, bound_here, fn, free_symbols, mul, num, number_of, substituted, sym, walk

MAX_NODES = 20_000
#: Extrema that claim more than that something is stationary.
_ORDERED = {"max": "maximum", "sup": "supremum", "min": "minimum", "inf": "infimum"}
_MAX_LEVELS = 40
FREE_ENTROPY = "free_entropy"


@dataclass(frozen=True, slots=True)
class Definition:
    """``key = body`` or ``key(parameters) = body`` in the document.

    Attributes:
        key: what is defined.
        parameters: the arguments' keys; None for a plain symbol.
        body: the tree, or None where the right-hand side is not read.
        reason: why not.
        offset: where it stands.
        others: further sides of the same statement, which must agree with the body.
        rivals: what else the document says that it is, with the places; None for what is not read.
        values: of a function that is given at some numbers only: the numbers and its values there.
        places: where these stand.
    """

    key: str
    parameters: tuple[str, ...] | None
    body: Node | None
    reason: str = ""
    offset: int = 0
    others: tuple[Node, ...] = ()
    rivals: tuple[tuple[Node | None, int], ...] = ()
    values: tuple[tuple[Fraction, Node], ...] = ()
    places: tuple[int, ...] = ()


@dataclass(frozen=True)
class Meaning:
    """The letters of one claim.

    Attributes:
        author: the symbol map: key to an expression in model names.
        names: order parameters and parameters of the model.
        derived: further names that the derivation defines.
        definitions: the document's.
        potentials: letters of the model's free entropy.
        constants: those of the derived names that no order parameter enters.
        conventions: what letters stand for that nothing else gives a meaning.
        controls: those of the names that are parameters.
        refused: letters of which the document says what cannot be told, with the reason and its place.
        touched: the keys of the definitions that have been used so far.
    """

    author: Mapping[str, Node]
    names: Collection[str]
    derived: Collection[str] = ()
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    potentials: Collection[str] = ()
    constants: Collection[str] = ()
    conventions: Mapping[str, Node] = field(default_factory=dict)
    controls: Collection[str] = ()
    refused: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set, compare=False)

    def resolve(self, tree: Node) -> Node:
        """A tree in bound variables and model names.

        Raises:
            UnreadableError: for a letter without a meaning.
        """
        self._distinct(tree)
        resolved = self._resolve(tree, frozenset(), ())
        if sum(1 for _ in walk(resolved)) > MAX_NODES:
            raise UnreadableError("the definitions make the equation too large", tree.start)
        return resolved

    def _distinct(self, tree: Node) -> None:
        """Refuse a formula in which a letter stands with a star and without: they may be two things."""
        free = free_symbols(tree)
        for key, node in free.items():
            bare, star, rest = str(key).partition("^star")
            if star and not rest and bare in free and key not in self.definitions and key not in self.author:
                reason = f"{bare} stands with a star and without; declare them in a symbol map"
                raise UnreadableError(reason, node.start)

    def name_of(self, key: str) -> str | None:
        """The model name that a key alone stands for, if it is one.

        Raises:
            UnreadableError: for a letter of which the document says what cannot be told.
        """
        if key in self.refused:
            raise UnreadableError(*self.refused[key])
        mapped = self.author.get(key)
        if mapped is not None:
            return str(mapped.value)[1:] if mapped.kind == "sym" else None
        return default_name(key, self.names)

    def resolved_openly(self, trees: Sequence[Node], bound: Collection[str]) -> tuple[list[Node], list[str]]:
        """Trees whose letters without a meaning are variables, as those in a definition are; and these variables.

        Raises:
            UnreadableError: where a letter's meaning cannot be read.
        """
        opened = set(bound)
        for tree in trees:
            self._open(tree, frozenset(opened), opened, ())
        found = [self._resolve(tree, frozenset(opened), ()) for tree in trees]
        used = {key for tree in found for key in free_symbols(tree) if not key.startswith("@")}
        return found, sorted(used)

    def _open(self, tree: Node, bound: frozenset[str], opened: set[str], stack: tuple[str, ...]) -> None:
        """Collect the letters without a meaning, those inside definitions included."""
        keys = {str(key) for key in free_symbols(tree)} | {str(n.value) for n in walk(tree) if n.kind == "call"}
        for key in sorted(keys - bound - opened):
            definition = self.definitions.get(key)
            if key in self.author or default_name(key, self.names) is not None or key in stack:
                continue
            if definition is not None and definition.body is not None:
                inside = bound | frozenset(definition.parameters or ())
                self._open(definition.body, inside, opened, (*stack, key))
            elif (
                definition is None
                and default_name(key, self.derived) is None
                and key not in ("e", *self.potentials, *self.conventions)
            ):
                opened.add(key)

    def alternatives(self) -> tuple[tuple[str, Node], ...]:
        """The definitions that have a meaning by themselves: what an author may have mixed up."""
        found = []
        for key, definition in sorted(self.definitions.items()):
            if definition.parameters is None and definition.body is not None:
                try:
                    found.append((key, self.resolve(sym(key))))
                except UnreadableError:
                    continue
        return tuple(found)

    def _resolve(self, node: Node, bound: frozenset[str], stack: tuple[str, ...]) -> Node:
        if len(stack) > _MAX_LEVELS:
            raise UnreadableError("definitions are nested too deeply", node.start)
        if node.kind == "sym":
            return node if node.value in bound else self._symbol(node, bound, stack)
        if node.kind == "mul" and "e" not in (*bound, *self.author, *self.definitions) and _is_of_numbers(node):
            return substituted(node, "e", fn("exp", num(1, node.start, node.end)))
        if node.kind == "call":
            return self._call(node, bound, stack)
        if node.kind == "max":
            return self._extremum(node, bound, stack)
        if node.kind == "let":
            return self._let(node, bound, stack)
        if node.kind == "diff":
            return self._slope(node, bound, stack)
        if node.kind == "sum" and self._is_listed(node.args[0]):
            body, *values = node.args
            return self._resolve(add(*(substituted(body, node.value, value) for value in values)), bound, stack)
        if node.kind in ("int", "sum"):
            body = self._resolve(node.args[0], bound | bound_here(node), stack)
            return node.with_args((body, *(self._resolve(a, bound, stack) for a in node.args[1:])))
        return node.with_args(tuple(self._resolve(a, bound, stack) for a in node.args))

    def _let(self, node: Node, bound: frozenset[str], stack: tuple[str, ...]) -> Node:
        """Variables with values, put in: integrals find the kinks of what does not hide behind another name."""
        *values, body = node.args
        resolved = [self._resolve(v, bound, stack) for v in values]
        body = self._resolve(body, bound | bound_here(node), stack)
        hidden = used_names(body) - {*self.names, *self.constants}
        if hidden and any(key in self.author or default_name(key, self.names) is not None for key in node.value):
            what = ", ".join(sorted(hidden))
            raise UnreadableError(f"the value of {what} at another point is not known: write its formula", node.start)
        fresh = [f"{key} to be replaced" for key in node.value]
        for key, name in zip(node.value, fresh, strict=True):
            body = substituted(body, key, sym(name))
        for name, value in zip(fresh, resolved, strict=True):
            body = substituted(body, name, value)
        return body

    def _slope(self, node: Node, bound: frozenset[str], stack: tuple[str, ...]) -> Node:
        """A derivative of what the document writes out, or of the model's free entropy."""
        key, order = node.value
        chain = None
        if key in bound:
            variable = key
        elif self._is_own(key):
            return self._slope_in_own(node, bound, stack)
        else:
            symbol = self._symbol(sym(key, node.start, node.end), bound, stack)
            if len(names := used_names(symbol)) != 1 or any(not str(k).startswith("@") for k in free_symbols(symbol)):
                raise UnreadableError(f"{key}, in which this is differentiated, is no variable of the model", node.start)
            variable = f"@{next(iter(names))}"
            chain = None if symbol == sym(variable) else derivative(symbol, variable)
        body = self._resolve(node.args[0], bound, stack)
        if variable.startswith("@"):
            hidden = used_names(body) - {*self.names, *self.constants, FREE_ENTROPY}
            if hidden or variable[1:] not in self.names:
                what = ", ".join(sorted(hidden)) or variable[1:]
                raise UnreadableError(f"how {what} depends on the others is not written here: define it", node.start)
        for count in range(order):
            body = _differentiated(body, variable, first=count == 0, place=node)
            if chain is not None:
                body = Node("div", None, (body, chain))
        return placed(body, node.start, node.end)

    def _is_own(self, key: str) -> bool:
        """Whether a letter is one that the document defines and that names nothing of the model."""
        definition = self.definitions.get(key)
        known = key in self.author or key in self.refused or default_name(key, self.names) is not None
        return not known and definition is not None and definition.parameters is None and definition.body is not None

    def _slope_in_own(self, node: Node, bound: frozenset[str], stack: tuple[str, ...]) -> Node:
        """A derivative in a letter that the document defines, taken at its value.

        Raises:
            UnreadableError: where what it acts on contains variables of the letter's definition besides the letter itself.
        """
        key, order = node.value
        value = self._symbol(sym(key, node.start, node.end), bound, stack)
        body = self._resolve(node.args[0], bound | {key}, stack)
        shared = {k for k in free_symbols(body).keys() & free_symbols(value).keys() if not k.startswith("@")}
        if shared:
            reason = f"{plain(key)}, in which this is differentiated, is defined by {plain(min(shared))}"
            raise UnreadableError(f"{reason}, which stands beside it: write the formula in one of them", node.start)
        for _ in range(order):
            body = derivative(body, key)
        return self._let(Node("let", (key,), (value, body), node.start, node.end), bound, stack)

    def _symbol(self, node: Node, bound: frozenset[str], stack: tuple[str, ...]) -> Node:
        key = node.value
        if str(key).startswith("@"):
            return node
        if key in self.refused:
            raise UnreadableError(*self.refused[key])
        if key in self.author:
            return placed(self.author[key], node.start, node.end)
        name = default_name(key, self.names)
        if name is not None:
            return sym(f"@{name}", node.start, node.end)
        if key in self.definitions:
            try:
                body = self._body(self.definitions[key], node, bound, stack)
            except UnreadableError as error:
                known = default_name(key, self.derived)
                if known is None:
                    raise
                own = f"if the derivation's own {known} is meant, say so: '% spinodal-symbols: {plain(key)} = {known}'"
                raise UnreadableError(f"{error.reason}; {own}", error.offset) from None
            return Node("named", key, (body,), node.start, node.end)
        name = default_name(key, self.derived)
        if name is not None:
            return sym(f"@{name}", node.start, node.end)
        if key in self.potentials:
            return sym(f"@{FREE_ENTROPY}", node.start, node.end)
        if key in self.conventions:
            return placed(self.conventions[key], node.start, node.end)
        if key == "e":
            return self._euler(node)
        bare, star, _ = str(key).partition("^star")
        if star and (name := default_name(bare, self.names)) is not None:  # the value at the saddle point
            return sym(f"@{name}", node.start, node.end)
        raise UnreadableError(self._unknown(key), node.start)

    def _euler(self, node: Node) -> Node:
        """Euler's number, unless the model has a temperature, beside which the letter may be an energy.

        Raises:
            UnreadableError: if it may.
        """
        if "beta" in self.conventions:
            raise UnreadableError(
                r"e may be an energy or Euler's number: declare it as in '% spinodal-symbols: e = energy', or write \exp(1)",
                node.start,
            )
        return Node("fn", "exp", (num(1, node.start, node.end),), node.start, node.end)

    def _unknown(self, key: str) -> str:
        known = ", ".join(sorted(self.names))
        return (
            f"the symbol {key} has no meaning here; declare it as in '% spinodal-symbols: {key} = NAME' "
            f"(names of the model: {known}) or define it in the document"
        )

    def _body(self, definition: Definition, node: Node, bound: frozenset[str], stack: tuple[str, ...]) -> Node:
        if definition.key in stack:
            raise UnreadableError(f"{definition.key} is defined by itself", node.start)
        if definition.body is None:
            raise UnreadableError(
                f"{definition.key} is defined by what cannot be read: {definition.reason}", definition.offset
            )
        self.touched.add(definition.key)
        return self._resolve(definition.body, bound, (*stack, definition.key))

    def _is_listed(self, tree: Node) -> bool:
        """Whether a function that is given at some numbers only stands in a tree."""
        return any(n.kind == "call" and (d := self.definitions.get(n.value)) is not None and d.values for n in walk(tree))

    def _call(self, node: Node, bound: frozenset[str], stack: tuple[str, ...]) -> Node:
        definition = self.definitions.get(node.value)
        if definition is not None and definition.values:
            number = number_of(node.args[0]) if len(node.args) == 1 else None
            body = next((value for at, value in definition.values if at == number), None)
            if body is None:
                given = ", ".join(str(at) for at, _ in definition.values)
                raise UnreadableError(f"{plain(node.value)} is defined at {given} only", node.start)
            self.touched.add(definition.key)
            return self._resolve(body, bound, (*stack, definition.key))
        if definition is None or definition.parameters is None:
            raise UnreadableError(f"the function {node.value} is not defined", node.start)
        if len(definition.parameters) != len(node.args):
            raise UnreadableError(f"{node.value} is defined with {len(definition.parameters)} arguments", node.start)
        values = tuple(self._resolve(a, bound, stack) for a in node.args)
        body = self._body(definition, node, bound | frozenset(definition.parameters), stack)
        return Node("let", definition.parameters, (*values, body), node.start, node.end)

    def _extremum(self, node: Node, bound: frozenset[str], stack: tuple[str, ...]) -> Node:
        """An extremum over order parameters says where the free entropy is taken; it changes no formula."""
        word, keys = node.value
        for key in keys:
            if key not in bound and (name := self.name_of(key)) in self.controls:
                reason = f"{plain(key)}, over which this extremum is taken, is {name}, a parameter of the model"
                raise UnreadableError(f"{reason}: extrema are taken over order parameters", node.start)
        if not word.startswith("arg") and all(key not in bound and self.name_of(key) is not None for key in keys):
            if word in _ORDERED:
                raise UnreadableError(
                    f"whether the stationary point is a {_ORDERED[word]} is not checked: write \\operatorname{{extr}}",
                    node.start,
                )
            return self._resolve(node.args[0], bound, stack)
        if len(keys) != 1 or word not in (*STATIONARY, "max", "sup", "min", "inf", "argmax", "argmin"):
            raise UnreadableError(f"{word} over {', '.join(keys)} is not read", node.start)
        return node.with_args((self._resolve(node.args[0], bound | {keys[0]}, stack),))


def _is_of_numbers(product: Node) -> bool:
    r"""Whether a product holds nothing but numbers, Euler's among them, as ``2\pi e`` does."""
    return all(a.kind in ("num", "const") or (a.kind == "sym" and a.value == "e") for a in product.args)


def slope_name(name: str) -> str:
    """What the derivative of the model's free entropy in one of its variables is called."""
    return f"{FREE_ENTROPY}:{name}"


def _differentiated(body: Node, variable: str, *, first: bool, place: Node) -> Node:
    """The derivative of a resolved tree; the model's free entropy brings its own."""
    own = derivative(body, variable)
    if FREE_ENTROPY not in used_names(body):
        if any(":" in name for name in used_names(body)):
            raise UnreadableError("a second derivative of the model's free entropy is not read", place.start)
        return own
    if not first or not variable.startswith("@"):
        raise UnreadableError("this derivative of the model's free entropy is not read", place.start)
    outer = derivative(body, f"@{FREE_ENTROPY}")
    inner = sym(f"@{slope_name(variable[1:])}")
    along = inner if outer == num(1) else mul(outer, inner)
    return along if own == num(0) else add(own, along)


def placed(tree: Node, start: int, end: int) -> Node:
    """A tree with every position replaced: what a symbol stands for is at the symbol's place."""
    return replace(tree, args=tuple(placed(a, start, end) for a in tree.args), start=start, end=end)


def used_names(tree: Node) -> frozenset[str]:
    """The model names in a resolved tree."""
    return frozenset(n.value[1:] for n in walk(tree) if n.kind == "sym" and str(n.value).startswith("@"))

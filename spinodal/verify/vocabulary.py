"""What the quantities of the field are called, and the words beside such a name that make it another one.

A description of a letter agrees with how the letter is read if the first name in it is one of that quantity, and nothing
beside the name changes it. Words that are not known here say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

_OF = r"\s+(?:the\s+)?(?:(?:total|average)\s+)?(?:numbers?\s+of\s+)?"
PATTERNS = r"(?:training\s+)?(?:patterns?|examples?|samples?|data(?:\s*points?)?|constraints?|measurements?|observations?)"
UNITS = (
    r"(?:weights?|synapses|synapse|spins?|neurons?|inputs?|parameters?|unknowns?|variables?|couplings?|components?|"
    r"dimensions?)"
)
_STUDENTS = r"(?:replicas|solutions|students|configurations|weight\s+vectors)"
_PAIR = r"(?:between|of)\s+(?:any\s+)?(?:two|a\s+pair\s+of)\s+(?:\w+\s+)?" + _STUDENTS
_WITH_TEACHER = (
    r"(?:with\s+(?:the\s+|its\s+)?teacher|(?:between|of)\s+(?:the\s+|a\s+)?(?:student|teacher)s?\s+(?:and|with)\s+(?:the\s+|a\s+)?"
    r"(?:teacher|student))"
)
_PER = rf"(?:(?:number|density)\s+of\s+)?{PATTERNS}\s+per\s+"

#: Names of quantities, those of parameters first.
NAMES: dict[str, str] = {
    "margin": r"margins?|stability\s+(?:threshold|parameter)",
    "inverse temperature": r"inverse\s+(?:of\s+the\s+)?temperature",
    "temperature": r"temperatures?",
    "load": (
        rf"(?:storage\s+|constraint\s+)?load(?:ing|s)?|(?:constraint|clause)\s+density|{_PER}{UNITS}|"
        rf"ratio\s+(?:of|between){_OF}{PATTERNS}\s+(?:to|and|over|per){_OF}{UNITS}|"
        rf"number\s+of\s+{PATTERNS}\s+(?:divided\s+by|over){_OF}{UNITS}"
    ),
    "inverse load": (
        rf"(?:number\s+of\s+)?{UNITS}\s+per\s+{PATTERNS}|ratio\s+(?:of|between){_OF}{UNITS}\s+(?:to|and|over){_OF}{PATTERNS}|"
        rf"number\s+of\s+{UNITS}\s+(?:divided\s+by|over){_OF}{PATTERNS}"
    ),
    "teacher overlap": (
        r"(?:teacher[-\u2013 ]+student|student[-\u2013 ]+teacher)\s+overlap|"
        rf"(?:overlap|that|alignment)\s+{_WITH_TEACHER}"
    ),
    "student overlap": rf"(?:overlap|that)\s+{_PAIR}|mutual\s+overlap",
    "self-overlap": r"self[- ]overlap|(?:squared\s+)?(?:Euclidean\s+)?(?:norm|length)",
    "overlap": r"overlap",
    "conjugate": r"conjugate|Lagrange\s+multiplier",
    "distance": r"(?:(?:Hamming|Euclidean|squared|normali[sz]ed)\s+)*distance",
    "mean squared error": r"mean[- ]squared?[- ]error|MSE",
    "generalization error": (
        r"(?:generali[sz]ation|test|prediction)\s+error|"
        r"probability\s+of\s+(?:an?\s+)?(?:error|mistake|misclassification|(?:wrong|incorrect|false)\s+[a-z]+)"
    ),
    "training error": r"training\s+(?:error|loss|energy)",
    "accuracy": r"accuracy|probability\s+of\s+(?:an?\s+)?(?:correct|right)\s+[a-z]+|fraction\s+of\s+correct(?:ly)?\s+[a-z]+",
    "free entropy": r"free[- ]entropy",
    "free energy": r"free[- ]energy",
    "complexity": r"complexity",
    "entropy": r"entropy",
    "energy": r"energy",
    "signal-to-noise ratio": r"signal[- ]to[- ]noise\s+ratio|SNR",
    "noise-to-signal ratio": r"noise[- ]to[- ]signal\s+ratio",
    "standard deviation": r"standard\s+deviation",
    "variance": r"variance",
    "precision": r"precision",
    "flip probability": (
        r"probability\s+(?:that|with\s+which|for)\s+(?:a|the|each)\s+labels?\s+(?:is|are|to\s+be)\s+(?:flipped|wrong|corrupted)|"
        r"flip(?:ping)?\s+probability|(?:fraction|probability)\s+of\s+(?:flipped|corrupted|wrong)\s+labels"
    ),
    "capacity": r"(?:storage\s+)?capacity|critical\s+[a-z]+|satisfiability\s+threshold",
}
#: Names that say nothing by themselves, as other quantities are called so as well.
_WEAK = frozenset(["capacity", "variance", "standard deviation", "precision"])
#: By the quantity that a letter is read as: what it may be called.
_OF_PARAMETERS = {
    "kappa": ("margin", "distance"),
    "beta": ("inverse temperature",),
    "T": ("temperature",),
    "alpha": ("load",),
    "alpha_T": ("load",),
}
PARAMETERS = tuple(_OF_PARAMETERS)
#: Roles of declared parameters: what they may be called, and weak names that contradict the role.
_ROLES = {
    "variance of the noise": (("variance",), ("standard deviation", "precision")),
    "standard deviation of the noise": (("standard deviation",), ("variance", "precision")),
    "flip probability": (("flip probability", "generalization error"), ()),
}
_ENTROPIES = ("free entropy", "entropy", "complexity")
_OF_QUANTITIES = {
    "free_entropy": (*_ENTROPIES,),
    "entropy": ("entropy", "free entropy"),
    "complexity": ("complexity", "entropy"),
    "energy": ("energy", "training error", "mean squared error"),
    "training_error": ("training error", "energy", "mean squared error"),
    "generalization_error": ("generalization error", "mean squared error"),
    "generalization_error_barycentre": ("generalization error", "mean squared error"),
}
_CHANGED_BY = (
    r"twice|thrice|half|double[sd]?|halved|minus|negative|opposite|inverse|reciprocal|squared?|cubed?|root|logarithm|exponential|"
    r"rescaled|un-?normali[sz]ed|multiplied|divided|times|plus|complement|modulus|(?:measured\s+|given\s+|expressed\s+)?in\s+"
    r"(?:degrees|bits|units\s+of)|upside\s+down"
)
#: Words that make of what is named something else.
CHANGES = re.compile(rf"\b(?:{_CHANGED_BY})\b", re.I)
_VARIANCE = re.compile(r"\bvariance\s+(?:of\s+|equal\s+to\s+|is\s+)?(?P<value>one\s+half|[a-z]+|\$[^$]+\$|[\d./]+)", re.I)
_MEAN = re.compile(r"\b(?:mean\s+(?P<value>one|two|unity|\$[^$]+\$|[\d./]+)|(?P<unit>unit)\s+mean)", re.I)
_UNIT = frozenset(["one", "unity", "unit", "1", "$1$"])
_ZERO = frozenset(["zero", "0", "$0$"])
#: What may stand before a description that has no article.
_ARTICLE = r"(?:the|a|an|our|its|this|that|usual|typical)\b"
STARTS = re.compile(
    rf"(?:again\s+|here\s+|now\s+|just\s+|simply\s+)*(?:{_ARTICLE}|(?:{_CHANGED_BY}|one\s+minus)\s+(?:of\s+)?(?:the|a|our|its)\b|"
    r"conjugate\b|measured\b|in\s+(?:degrees|bits)\b)",
    re.I,
)


@dataclass(frozen=True)
class Named:
    """A name that stands in a phrase: of which quantity, and where."""

    quantity: str
    start: int
    end: int


def names_in(phrase: str) -> list[Named]:
    """The names of quantities in a phrase, in their order, the longest where several begin or end together."""
    found = [
        Named(quantity, match.start(), match.end())
        for quantity, pattern in NAMES.items()
        for match in re.finditer(rf"\b(?:{pattern})\b", phrase, re.I)
    ]
    found.sort(key=lambda one: (one.start, -one.end))
    kept: list[Named] = []
    for one in found:
        if not kept or one.end > kept[-1].end:
            kept.append(one)
    return kept


def allowed(name: str, role: str, known: Collection[str]) -> tuple[str, ...]:
    """What a letter may be called by what it is read as; empty if nothing is known of that.

    Args:
        name: of an order parameter, a parameter or a quantity.
        role: of a declared parameter, by the formula that it stands in.
        known: all names of the model.
    """
    if role in _ROLES:
        return _ROLES[role][0]
    if name in _OF_QUANTITIES:
        return _OF_QUANTITIES[name]
    base = name.removesuffix("_ref")
    if base in _OF_PARAMETERS:
        return _OF_PARAMETERS[base]
    if name.endswith("_hat"):
        return ("conjugate", *NAMES) if name.startswith("d") else ("conjugate", "variance")
    if base in ("q_d", "p_d"):
        return ("self-overlap", "overlap")
    if base in ("q", "q0", "q1", "p", "p0", "p1", "s", "t"):
        teacher = () if any(other.partition("_")[0] == "r" for other in known) else ("teacher overlap",)
        return ("overlap", "student overlap", *teacher)
    return ("overlap", "teacher overlap") if base == "r" else ()


def of_parameter(name: str) -> str:
    """A pattern of what a parameter may be called; empty if nothing is known."""
    return "|".join(NAMES[quantity] for quantity in _OF_PARAMETERS.get(name, ()))


def contradiction(phrase: str, name: str, role: str, known: Collection[str], *, is_control: bool) -> tuple[int, int] | None:
    """The words of a description that are not so of a letter as it is read; None if there are none.

    Args:
        phrase: the description.
        name: what the letter is read as.
        role: of a declared parameter.
        known: all names of the model.
        is_control: whether it is a parameter, of which a value may be said (half the capacity).

    >>> contradiction("the negative of the margin", "kappa", "", [], is_control=True)
    (4, 12)
    >>> contradiction("the overlap of two solutions", "q", "", [], is_control=False)
    """
    own = allowed(name, role, known)
    if not own:
        return None
    names = names_in(phrase)
    if _is_of_something_else(phrase[: names[0].start] if names else phrase):
        return None
    mine = [one for one in names if one.quantity in own]
    first = next((one for one in names if one.quantity not in _WEAK or one.quantity in own), None)
    if any(one.quantity == "capacity" for one in names[:1]) and is_control:
        return None
    weak = next((one for one in names if one.quantity in _ROLES.get(role, ((), ()))[1]), None)
    if first is not None and first.quantity not in own:
        return first.start, first.end
    if weak is not None and not mine:
        return weak.start, weak.end
    change = next(_changes(phrase, mine), None)
    if change is not None and (mine or not is_control):
        return change
    return None


#: Nouns that stand before the name of what a letter is.
_THROUGH = re.compile(
    r"(?:values?|size|mean|average|expectation|choice|order\s+parameter|parameter|conjugate|variable|amount|level|strength)\s*\Z",
    re.I,
)


def _is_of_something_else(before: str) -> bool:
    """Whether words before a name make of it the name of another thing, as in "the derivative of the free entropy"."""
    match = re.search(r"\s(?:of|between|for|at|in|to|with|by|from|on|that)\s", f"{before} ")
    if match is None:
        return False
    noun = before[: match.start()]
    return _THROUGH.search(noun) is None and re.search(rf"\b(?:{_CHANGED_BY})\s*\Z", noun, re.I) is None


def _changes(phrase: str, mine: Collection[Named]) -> Iterator[tuple[int, int]]:
    """Words that change what is named, outside the names themselves."""
    for match in CHANGES.finditer(phrase):
        if not any(one.start <= match.start() < one.end for one in mine):
            yield match.span()


# ---- functions

_SPREAD = r"distribut(?:ion|ed)|cumulative|probability|integral|Gaussian|normal"
#: By what they are called, functions of one variable: the first that fits.
_FUNCTIONS = (
    ("erfc", r"\bcomplementary\s+error\s+function\b"),
    ("erf", r"\berror\s+function\b"),
    ("tail", rf"\bcomplementary\s+cumulative|(?:{_SPREAD})[^.]*\b(?:larger|greater|above|exceeds?)\b|\b(?:tail|survival)\b"),
    ("normal", rf"\bcumulative\b|(?:{_SPREAD})[^.]*\b(?:smaller|less|lower|below)\b"),
    ("step", r"\b(?:Heaviside|(?:unit\s+)?step|theta)(?:\s+step)?\s+function\b|\bHeaviside\b"),
    ("flat", r"\b(?:flat|Lebesgue|uniform)\b"),
    ("sign", r"\bsign(?:um)?\s+function\b|\bsignum\b"),
    ("density", r"\bdensity\b|\b(?:a|the|standard|unit)\s+(?:Gaussian|normal)\b(?=\s*(?:of|with|,|\Z|function))"),
    *((f"{key}h", rf"\bhyperbolic\s+{name}\b") for key, name in (("cos", "cosine"), ("sin", "sine"), ("tan", "tangent"))),
    ("cos", r"(?<!hyperbolic )\bcosine\b"),
    ("sin", r"(?<!hyperbolic )\bsine\b"),
    ("log", r"\bnatural\s+logarithm\b"),
)
_SAME = {("tail", "erfc")}


def other_function(phrase: str, name: str) -> tuple[int, int] | None:
    """The words of a description that call a function another one, or change it; None if there are none.

    >>> other_function("the Heaviside step function", "tail")
    (4, 27)
    >>> other_function("the Gaussian density of unit variance", "density")
    """
    for called, pattern in _FUNCTIONS:
        match = re.search(pattern, phrase, re.I)
        if match is not None:
            if called != name and (name, called) not in _SAME and not name.startswith("arc"):
                return match.span()
            break
    for match in _VARIANCE.finditer(phrase):
        if match.group("value").lower() not in _UNIT:
            return match.span()
    for match in _MEAN.finditer(phrase):
        if match.group("unit") or match.group("value").lower() not in _ZERO:
            return match.span()
    change = re.search(r"\b(?:un-?normali[sz]ed|base[- ](?:two|ten)|(?:measured\s+)?in\s+degrees)\b", phrase, re.I)
    return change.span() if change is not None else None

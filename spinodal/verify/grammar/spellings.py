"""What LaTeX's commands come to: those that only move ink, those that set words and letters, and other names of the same."""

from __future__ import annotations

#: Commands that leave no trace.
INVISIBLE = frozenset(
    (
        "middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm Bigm biggm Biggm limits nolimits "
        "displaystyle textstyle scriptstyle scriptscriptstyle nonumber notag quad qquad thinspace negthinspace "
        "allowbreak noindent enspace mathstrut medspace thickspace negmedspace negthickspace mathopen mathclose mathrel "
        "mathbin mathord mathop mathinner mathpunct ensuremath hfill hfil break nobreak newline smallskip medskip "
        "bigskip smash IEEEeqnarraynumspace IEEEyesnumber IEEEnonumber IEEEnosubnumber protect relax qty quantity "
        "normalsize small footnotesize allowdisplaybreaks"
    ).split()
)
#: Commands that disappear together with their argument, and with one in brackets before it.
DROPPED_WITH_ARGUMENT = frozenset(
    (
        "label tag hspace vspace phantom hphantom vphantom color eqref ref cref Cref autoref cite citep citet index mspace"
    ).split()
)
#: Commands whose argument is a remark.
REMARKS = frozenset("footnote footnotetext thanks marginpar todo".split())
#: Commands that disappear with an argument in brackets at most.
DROPPED = frozenset(["footnotemark", "displaybreak", "pagebreak", "nopagebreak", "linebreak", "nolinebreak"])
#: Commands whose first argument is the look of the second.
COLOURS = frozenset(["textcolor", "mathcolor", "colorbox"])
UPRIGHT = frozenset(
    (
        "mathrm operatorname operatornamewithlimits text textrm mathsf mathtt mbox textup rm sf tt rmfamily textnormal "
        "textit textbf"
    ).split()
)
#: Those that set mathematics, so that commands in their argument are read.
MATHEMATICAL = frozenset(["mathrm", "operatorname", "operatornamewithlimits", "mathsf", "mathtt", "rm", "sf", "tt"])
#: Fonts that do not change what a letter stands for.
PLAIN_FONTS = frozenset(["boldsymbol", "bm", "mathbf", "mathit", "pmb", "mathnormal", "bf", "it", "mit", "sl", "em"])
#: Fonts as declarations inside a group, ``{\rm d}``.
DECLARED_FONTS = frozenset(["rm", "sf", "tt", "bf", "it", "mit", "sl", "em", "cal", "rmfamily"])
#: Sizes of delimiters, after which < and > are angles.
SIZES = frozenset(
    "left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr middle bigm Bigm biggm Biggm".split()
)
SYNONYMS = {
    "dfrac": "frac",
    "tfrac": "frac",
    "cfrac": "frac",
    "sfrac": "frac",
    "nicefrac": "frac",
    "flatfrac": "frac",
    "ln": "log",
    "lbrace": "{",
    "rbrace": "}",
    "lbrack": "[",
    "rbrack": "]",
    "lvert": "|",
    "rvert": "|",
    "vert": "|",
    "cdot": "*",
    "times": "*",
    "ast": "*",
    "dots": "ldots",
    "dotsc": "ldots",
    "dotsb": "ldots",
    "widehat": "hat",
    "widetilde": "tilde",
    "overline": "bar",
    "ne": "neq",
    "le": "leq",
    "ge": "geq",
    "leqslant": "leq",
    "geqslant": "geq",
    "star": "star",
    "equiv": "=",
    "coloneqq": "=",
    "coloneq": "=",
    "triangleq": "=",
    "doteq": "=",
    "simeq": "approx",
    "cong": "approx",
    "varkappa": "kappa",
    "vartheta": "theta",
    "lang": "langle",
    "rang": "rangle",
    "iff": "ldots",
    "sgn": "sign",
    "minus": "-",
    "lparen": "(",
    "rparen": ")",
    "rightarrow": "to",
    "longrightarrow": "to",
    "leftarrow": "gets",
    "longleftarrow": "gets",
}
UNICODE = {"−": ("mark", "-"), "·": ("mark", "*"), "×": ("mark", "*"), "∞": ("command", "infty"), "∫": ("command", "int")}
SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True))
GREEK = dict(zip("αβγδεζηθικλμνξπρσςτυφχψωΓΔΘΛΞΠΣΦΨΩ", (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma sigma tau upsilon phi "
    "chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
).split(), strict=True))  # fmt: skip

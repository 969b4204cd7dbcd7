"""Documents with one claim, in the notations that papers use."""

from __future__ import annotations

from dataclasses import dataclass

from spinodal.verify.documents import read_document
from spinodal.verify.results import Outcome
from spinodal.verify.run import Session

#: The argument of the perceptron's tail, and the integrand of its overlap.
U = r"\frac{\kappa-\sqrt q\,z}{\sqrt{1-q}}"
TANH = r"\tanh^2(\sqrt{\hat q}z)"
TAIL = r"\frac{\alpha}{1-q}\int Dz\left[\frac{G(X)}{H(X)}\right]^2, X=" + U
ENTROPY = r"-\frac{\hat q}{2}(1-q) + \int Dz\ln 2\cosh(\sqrt{\hat q}z) + \alpha\int Dz\ln H\left(" + U + r"\right)"

#: A spec with an energy at a temperature.
THERMAL = """format = 1
[student]
weights = "binary"
[loss]
energy = "step(kappa - y*h)"
temperature = "T"
[parameters]
alpha = 1.0
kappa = 0.0
T = 0.5
"""


@dataclass(frozen=True)
class Paper:
    """A claim about the perceptron with binary weights, right as it stands, and an error planted in the same notation.

    Attributes:
        quantity: what is claimed.
        body: the equation; without an environment of its own it is displayed by brackets.
        right: a part of the body.
        planted: what is written for it in error.
        before: what stands above.
        display: whether the body needs brackets.
    """

    quantity: str
    body: str
    right: str
    planted: str
    before: str = ""
    display: bool = True

    def text(self, *, planted: bool) -> str:
        """The document."""
        parts = [self.before, self.body]
        if planted:
            assert any(self.right in part for part in parts)
            parts = [part.replace(self.right, self.planted, 1) for part in parts]
        before, body = parts
        return document(self.quantity, rf"\[ {body} \]" if self.display else body, before)


def document(quantity: str, equation: str, before: str = "") -> str:
    """LaTeX with one claim about the perceptron with binary weights."""
    return f"{before}\n% spinodal: binary-perceptron {quantity}\n{equation}\n"


def only(session: Session, text: str) -> Outcome:
    """The outcome of the only claim of a text."""
    (outcome,) = session.outcomes(read_document(text, "text", "latex"))
    return outcome

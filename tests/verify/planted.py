"""One planted error for each published equation: what is replaced in it, by what, and the kind that must be named."""

from __future__ import annotations

#: (line of text that marks the claim, old, new, acceptable kinds), in the order of the document's claims.
PLANTED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (r"\frac{1}{2}\,\frac{q}{1-q}", r"\frac{q}{1-q}", ("factor",)),
    (r"-\frac{(\kappa + \sqrt{q}\,t)^2}{1-q}", r"-\frac{(\kappa + q\,t)^2}{1-q}", ("wrong argument",)),
    (r"e^{-t^2/2} (t+\kappa)^2", r"e^{-t^2} (t+\kappa)^2", ("wrong measure",)),
    (r"\frac{G(u)}{H(u)} - u", r"\frac{G(u)}{H(u)} + u", ("sign", "wrong argument")),
    (r"-\frac{\hat q}{2}(1-q)", r"\frac{\hat q}{2}(1-q)", ("sign",)),
    (r"z\sqrt{\hat q} \right), \\", r"z\sqrt{q} \right), \\", ("hat missing",)),
    (r"\frac{\alpha}{1-q} \int Dt", r"\frac{2\alpha}{1-q} \int Dt", ("factor",)),
    (r"- R \hat R +", r"+ R \hat R +", ("sign",)),
    (r"z + \hat R \bigr)", r"z + R \bigr)", ("hat missing",)),
    (r"\int_{-\infty}^{\infty} \frac{dz}", r"\int_{0}^{\infty} \frac{dz}", ("wrong measure", "factor")),
    (r"H\!\left( -\frac{R z}{\sqrt{q-R^2}} \right)", r"", ("wrong measure",)),
    (r"G\!\left( \frac{R z}{\sqrt{q-R^2}} \right)", r"G\!\left( \frac{R z}{q-R^2} \right)", ("wrong argument",)),
    (r"\cos^{-1} R", r"\cos^{-1} q", ("wrong argument",)),
    (r"\tanh\left( \hat q + \sqrt{\hat q}", r"\tanh\left( q + \sqrt{\hat q}", ("hat missing",)),
    (r"\frac{\alpha}{\pi (1-q)}", r"\frac{\alpha}{2\pi (1-q)}", ("factor",)),
    (r"-\frac{\hat q\,(1+q)}{2}", r"-\frac{\hat q\,(1-q)}{2}", ("sign",)),
    (r"\arccos\sqrt{q}", r"\arccos q", ("wrong argument",)),
    (r"+ \frac12 \hat p p", r"+ \hat p p", ("factor",)),
    (r"\frac{2 \mu_1^2 \alpha_T}", r"\frac{2 \mu_\star^2 \alpha_T}", ("wrong argument", "factor")),
    (r"\frac{(1-q)\,\hat R}{1 - (1-q)", r"\frac{(1-q)\,R}{1 - (1-q)", ("hat missing",)),
    (r"\frac{M}{\sqrt{Q_d}}", r"\frac{M}{\sqrt{Q}}", ("wrong argument",)),
)

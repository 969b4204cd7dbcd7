"""One planted error for each published equation: what is replaced in it, by what, and the kinds that may be named."""

from __future__ import annotations

Planted = tuple[str, str, tuple[str, ...]]

#: (old, new, acceptable kinds), in the order of the claims of published.tex.
TYPICAL: tuple[Planted, ...] = (
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

#: The same for atypical.tex.
ATYPICAL: tuple[Planted, ...] = (
    (r"\frac{m}{2} q_0 \hat q_0", r"-\frac{m}{2} q_0 \hat q_0", ("sign",)),
    (r"\cosh^m(h) \tanh(h)}", r"\cosh^m(h) \tanh^2(h)}", ("wrong power",)),
    (r"q_1 &= \int Dz_0 \, \frac{", r"q_1 &= 2 \int Dz_0 \, \frac{", ("factor",)),
    (r"\frac{\alpha}{1-q_1} \int Dt_0", r"\frac{2\alpha}{1-q_1} \int Dt_0", ("factor",)),
    (r"+ \frac{q_0}{1-q_1+m(q_1-q_0)}", r"- \frac{q_0}{1-q_1+m(q_1-q_0)}", ("sign",)),
    (r"+ \sqrt{\delta\hat q}\, t \right) \right\}", r"+ \sqrt{\delta q}\, t \right) \right\}", ("hat missing",)),
    (r"\tanh^2\left( \sqrt{\hat q_1}", r"\tanh^2\left( \sqrt{q_1}", ("hat missing",)),
    (r"-\frac{\hat q_1}{2}(1-q_1) + \frac{y}{2}", r"-\hat q_1(1-q_1) + \frac{y}{2}", ("factor",)),
    (r"\hat p_1 p_1 + \hat p_1", r"\hat p_1 p_1 - \hat p_1", ("sign",)),
    (r"\frac{1}{\pi} \arccos", r"\frac{2}{\pi} \arccos", ("factor",)),
    (r"- p\hat p + S\hat S", r"- p\hat p - S\hat S", ("sign",)),
    (r"Q &= \int Dx", r"Q &= \frac12 \int Dx", ("factor",)),
    (r"S &= \int Dx \tanh(\sqrt{\hat{\tilde q}}\, x)", r"S &= \int Dx \tanh(\sqrt{\tilde q}\, x)", ("hat missing",)),
    (r"p &= \int Dx", r"p &= -\int Dx", ("sign",)),
    (r"\hat{\tilde q} = \frac{\alpha}{1-\tq}", r"\hat{\tilde q} = \frac{\alpha}{2(1-\tq)}", ("factor",)),
)

"""Stationarity of the joint action of references and probes (coupled.py).

The reference's equations do not know the probe. The probe's are those of its overlaps (q, s, r, with random features also p,
p_s, p_t, p_d) and of every conjugate. A given t leaves out its own equation: t's conjugate solves what would be t's, and
``slope`` is what stationarity in t would be. An extremised t is one more order parameter.
"""

from __future__ import annotations

from functools import cached_property

import sympy as sp

from spinodal.symbolic.action import Q_D_HAT
from spinodal.symbolic.coupled import Coupled, Q, T
from spinodal.symbolic.derivation import Definition, Derived
from spinodal.symbolic.formulas import symbol
from spinodal.symbolic.stationarity import hidden_parameters
from spinodal.symbolic.symbols import KAPPA_1, KAPPA_STAR_SQ, with_hat
from spinodal.symbolic.system import Alias, Differentiator, System


class CoupledSaddle:
    """Stationarity of the joint action: the reference's equations, then the probe's."""

    def __init__(self, coupled: Coupled, base: Derived) -> None:
        self.coupled, self.base = coupled, base
        rename = coupled.rename
        self.reference = tuple(rename(x) for x in base.system.unknowns)
        # overlaps first, conjugates after, each with the reference's in front
        own = coupled.unknowns
        self.order = [
            *(i for i, x in enumerate((*self.reference, *own)) if not str(x).endswith("_hat")),
            *(i for i, x in enumerate((*self.reference, *own)) if str(x).endswith("_hat")),
        ]
        self.joint = (*self.reference, *own)
        self.unknowns = tuple(self.joint[i] for i in self.order)
        use, channel = coupled.uses[0], coupled.channels[0]
        combination = 2 * use.name((with_hat(Q),))
        if Q_D_HAT in channel.variables:
            combination += 2 * use.name((Q_D_HAT,))
        self.gap = Alias(symbol("_probe_gap"), use.finish(channel.curvature()), combination)
        self.differentiator = Differentiator(coupled.uses, (self.gap,))
        self.updates = [self._update(x) for x in own]
        self.residual = [self._residual(x, update) for x, update in zip(own, self.updates, strict=True)]

    def _gradient(self, x: sp.Symbol) -> sp.Expr:
        """The channels' part of d phi / dx, in channel symbols."""
        total: sp.Expr = sp.Integer(0)
        for use in self.coupled.uses:
            for variable, argument in use.arguments.items():
                slope = argument.diff(x)
                if slope != 0:
                    total += use.factor * use.name((variable,)) * slope
        return total

    def _update(self, x: sp.Symbol) -> sp.Expr:
        """Stationarity in the partner of x, solved for x; for the conjugate of a given t, what t should be."""
        coupled = self.coupled
        if x == Q_D_HAT and coupled.student.imposed:
            return 2 * self._gradient(Q_D_HAT)
        given = x == with_hat(T) and not coupled.extremised
        partner = x if given else dict([*coupled.pairs, *((b, a) for a, b in coupled.pairs)])[x]
        bare = T if given else x
        coefficient = coupled.pairing.diff(bare, partner)
        # the feature block is long and rational: it stays as it is
        block = -coupled.block.diff(partner) / coefficient
        terms = sp.Add.make_args(sp.expand(self._gradient(partner)))
        return block + sp.Add(*(sp.cancel(-term / coefficient) for term in terms))

    def _residual(self, x: sp.Symbol, update: sp.Expr) -> sp.Expr:
        if x == Q:
            return x - self.coupled.diagonal + self.gap.symbol
        if x == with_hat(T) and not self.coupled.extremised:
            return update - T
        if x == Q_D_HAT and self.coupled.student.imposed:
            return update - self.coupled.diagonal
        return x - update

    @cached_property
    def system(self) -> System:
        """Residual and Jacobian; the reference's rows do not know the probe."""
        base, rename = self.base.system, self.coupled.rename
        count = len(self.reference)
        residual = [*(rename(e) for e in base.residual), *self.residual]
        updates = [*(rename(e) for e in base.updates), *self.updates]

        def entry(i: int, j: int) -> sp.Expr:
            if i < count:
                return rename(base.jacobian[i, j]) if j < count else sp.Integer(0)
            return self.differentiator.total(self.residual[i - count], self.joint[j])

        size = len(self.joint)
        order = self.order
        jacobian = sp.ImmutableDenseMatrix(size, size, lambda i, j: entry(order[i], order[j]))
        return System(
            self.unknowns,
            tuple(updates[i] for i in order),
            tuple(residual[i] for i in order),
            jacobian,
            None,
            (),
        )

    @cached_property
    def channel_values(self) -> dict[sp.Symbol, sp.Expr]:
        """What every channel symbol stands for."""
        rename = self.coupled.rename
        found = {rename(k): rename(v) for k, v in self.base.channel_values.items()}
        for use in self.coupled.uses:
            for order in (1, 2):
                found.update({mark: use.expression(key) for mark, key in use.names(order)})
        found[self.gap.symbol] = self.gap.value
        return found

    @property
    def slope(self) -> sp.Expr:
        """The derivative of phi in t, in channel symbols."""
        return self.coupled.pairing.diff(T) + self.coupled.block.diff(T) + self._gradient(T)

    @property
    def textbook(self) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
        """The probe's equations with channel symbols written out."""
        table = {m: u.expression(k) for u in self.coupled.uses for m, k in u.names(1)}
        return tuple(
            (T if x == with_hat(T) and not self.coupled.extremised else x, update.xreplace(table))
            for x, update in zip(self.coupled.unknowns, self.updates, strict=True)
        )

    def parameter_rows(self, definitions: tuple[Definition, ...]) -> list[tuple[sp.Expr | None, ...]]:
        """dF/dparameter of the probe's equations; None where only differences are available."""
        values = self.channel_values
        moments = {d.symbol: d.expression for d in definitions if d.symbol in (KAPPA_1, KAPPA_STAR_SQ)}
        rows: list[list[sp.Expr | None]] = [[] for _ in self.residual]
        opaque = set().union(*(hidden_parameters(use.channel.leaves.values()) for use in self.coupled.uses))
        opaque |= self.coupled.student.teacher_variance.free_symbols
        for name in self.coupled.spec.parameter_names():
            s = symbol(name)
            inner = {k: e.diff(s) for k, e in moments.items() if e.diff(s) != 0}
            for row, f in zip(rows, self.residual, strict=True):
                if s in opaque or any(slope.has(sp.DiracDelta) for slope in inner.values()):
                    row.append(None)
                    continue
                total = self.differentiator.total(f, s)
                for k, slope in inner.items():
                    total += self.differentiator.total(f, k) * slope
                for mark in sorted(f.free_symbols & set(values), key=str):
                    total += f.diff(mark) * values[mark].diff(s)
                # loadings are quotients with a meaning at 0/0, which have no slope of their own
                row.append(None if total.has(sp.Derivative) else total)
        return [tuple(row) for row in rows]

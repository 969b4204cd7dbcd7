"""The optional quadpy provider, against stand-ins for quadpy: the real one refuses to import without a licence."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from spinodal.numeric.quadpy_provider import QuadpyUnavailableError, quadpy_rule


def fake_quadpy(monkeypatch, factory):
    module = ModuleType("quadpy")
    module.e1r2 = SimpleNamespace(gauss_hermite=factory)
    monkeypatch.setitem(sys.modules, "quadpy", module)


def test_missing_quadpy_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "quadpy", None)  # what makes import fail
    with pytest.raises(QuadpyUnavailableError) as caught:
        quadpy_rule(8)
    message = str(caught.value)
    assert "current releases require a paid licence" in message
    assert "The built-in quadrature rules cover everything" in message


@pytest.mark.parametrize("error", [SystemExit("no valid licence\nfound"), ImportError("licence"), RuntimeError()])
def test_refusal_of_any_kind_is_explained(monkeypatch, tmp_path, error):
    arguments = ", ".join(repr(a) for a in error.args)
    (tmp_path / "quadpy.py").write_text(f"raise {type(error).__name__}({arguments})\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "quadpy", raising=False)
    with pytest.raises(QuadpyUnavailableError, match="require a paid licence") as caught:
        quadpy_rule(8)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.__cause__, type(error))


def test_interrupt_is_not_swallowed(monkeypatch):
    def interrupted(n):
        raise KeyboardInterrupt

    fake_quadpy(monkeypatch, interrupted)
    with pytest.raises(KeyboardInterrupt):
        quadpy_rule(8)


def test_working_scheme_becomes_a_rule(monkeypatch):
    def gauss_hermite(n):
        points, weights = np.polynomial.hermite.hermgauss(n)
        return SimpleNamespace(points=points, weights=weights)

    fake_quadpy(monkeypatch, gauss_hermite)
    rule = quadpy_rule(8)
    assert rule.name == "quadpy gauss_hermite"
    z, weights = rule.nodes([np.zeros(3)], [np.ones(3)])
    assert z.shape == weights.shape == (3, 8)
    np.testing.assert_allclose((weights * z**4).sum(-1), 3.0, rtol=1e-13)
    assert rule.refined().n == 16
    assert rule.nodes()[0].shape == (1, 8)

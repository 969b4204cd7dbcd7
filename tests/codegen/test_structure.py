"""The golden structure of programs: which kernels a routine has, which functions each calls, once per argument."""

from __future__ import annotations

import pytest

from spinodal.codegen.ir import Call, Kernel, Program
from spinodal.codegen.lower import lower
from spinodal.spec import read_spec
from spinodal.symbolic.derive import derive


def program(name: str, ansatz: str | None = None) -> Program:
    return lower(derive(read_spec(name, ansatz=ansatz)))


def structure(built: Program, routine: str) -> list[list[tuple[str, tuple[int, ...]]]]:
    (chosen,) = [r for r in built.routines if r.name == routine]
    return [
        sorted((c.function, tuple(order for order, _ in c.outputs)) for c in stage.body if isinstance(c, Call))
        for stage in chosen.stages
        if isinstance(stage, Kernel)
    ]


def test_binary_perceptron() -> None:
    built = program("binary-perceptron")
    assert built.order_parameters == ("q", "q_hat")
    assert built.conjugates == ("q_hat",)
    assert built.parameters == ("alpha", "kappa")
    assert built.finite_difference == ()
    found = structure(built, "residual_and_jacobian")
    # two one-dimensional integrals; each special function is called once, for all the orders that are needed
    assert sorted(found) == [[("log_tail", (1, 2))], [("log_two_cosh", (1, 2))]] or sorted(found) == [
        [("log_tail", (1, 2, 3))],
        [("log_two_cosh", (1, 2, 3))],
    ]
    assert sorted(structure(built, "free_entropy")) == [[("log_tail", (0,))], [("log_two_cosh", (0,))]]


def test_spherical_perceptron_needs_one_integral() -> None:
    built = program("spherical-perceptron")
    found = structure(built, "residual_and_jacobian")
    assert len(found) == 1
    assert {function for function, _ in found[0]} == {"log_tail"}


@pytest.mark.parametrize("ansatz", [None, "bayes-optimal"])
def test_binary_teacher_student(ansatz: str | None) -> None:
    built = program("binary-teacher-student", ansatz)
    overlaps = ("q", "r", "q_hat", "r_hat") if ansatz is None else ("q", "q_hat")
    assert built.order_parameters == overlaps
    found = structure(built, "residual_and_jacobian")
    assert len(found) == 2
    functions = [{function for function, _ in kernel} for kernel in found]
    assert {"log_two_cosh"} in functions
    assert any({"log_tail", "tail"} <= f or {"log_tail", "density"} <= f for f in functions)
    for kernel in found:
        names = [function for function, _ in kernel]
        assert len(names) == len(set(names)), "a special function is evaluated twice at the same argument"


def test_every_kernel_declares_where_its_integrand_changes() -> None:
    built = program("binary-teacher-student")
    kernels = [s for r in built.routines for s in r.stages if isinstance(s, Kernel)]
    assert kernels
    assert all(kernel.steps for kernel in kernels if kernel.z is not None)

"""What verify says about right, wrong, empty and unreadable claims; the command line around it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from notation import THERMAL

from spinodal.__main__ import main
from spinodal.spec import SpecError
from spinodal.verify import Status, verify_text
from spinodal.verify.documents import read_document
from spinodal.verify.results import Outcome
from spinodal.verify.run import Session


def check(session: Session, text: str, form: str = "latex") -> Outcome:
    """The outcome of the only claim of a text."""
    (outcome,) = session.outcomes(read_document(text, "text", form))
    return outcome


def claim(quantity: str, equation: str, *, model: str = "binary-perceptron", before: str = "") -> str:
    """A LaTeX document with one claim."""
    return f"{before}\n% spinodal: {model} {quantity}\n\\[ {equation} \\]\n"


X = r", \quad X = \frac{\kappa-\sqrt q z}{\sqrt{1-q}}"
RIGHT = [
    ("q", r"q = 1 - \int Dz\, \operatorname{sech}^2(\sqrt{\hat q} z)"),
    ("q", r"q = \frac{1}{\sqrt{\hat q}} \int Dz\, z \tanh(\sqrt{\hat q} z) - \int Dz \frac{1}{\cosh^2(\sqrt{\hat q} z)} + q -"
          r" 0 \cdot q - q + \int Dz \tanh^2(-\sqrt{\hat q} z)"),
    ("q", r"\int Dz \tanh^2(\sqrt{\hat q}z) - q = 0"),
    ("q", r"q = \int Dz \left(\frac{\sinh(\sqrt{\hat q} z)}{\cosh(\sqrt{\hat q} z)}\right)^2"),
    ("q", r"1 = \frac{1}{q}\int Dz \tanh^2(\sqrt{\hat q} z)"),
    ("q", r"1-q = \int Dz (1 - \tanh^2 (\sqrt{\hat q} z)) = \frac{1}{\sqrt{\hat q}}\int Dz\, z \tanh(\sqrt{\hat q} z)"),
    ("q-hat", r"\hat q (1-q) = \alpha \int Dz \left[\frac{G(X)}{H(X)}\right]^2" + X),
    ("q_hat", r"\hat q = \frac{\alpha}{1-q} \int Dz \frac{2 e^{-X^2}}{\pi \operatorname{erfc}^2(X/\sqrt2)}" + X),
    ("q_hat", r"\frac{(1-q) \hat q}{\alpha} = \int Dz \left[\frac{G(X)}{H(X)}\right]^2, X = \frac{\kappa+\sqrt q z}{\sqrt{1-q}}"),
    ("q_hat", r"\hat q = \frac{2\alpha}{\pi(1-q)} \int Dz\, \operatorname{erfc}\left(\frac{X}{\sqrt2}\right)^{-2} e^{-X^2}" + X),
    ("free_entropy", r"\phi = \frac{\hat q}{2} (q-1) + \log 2 + \int Dz \log\cosh\sqrt{\hat q}z + \alpha\int Dz\log H(X)" + X),
    ("free-entropy", r"\frac{\phi}{\alpha} = \frac{-\hat q (1-q) + 2\int Dz \ln 2\cosh\sqrt{\hat q}z}{2\alpha} +"
                     r" \int Dz \ln\frac{1}{2}\operatorname{erfc}(X/\sqrt2)" + X),
    ("entropy", r"S = -\frac{\hat q}{2} (1-q) + \int Dz \log 2\cosh\sqrt{\hat q}z + \alpha\int Dz\log H(X)" + X),
]  # fmt: skip


@pytest.mark.parametrize(("quantity", "equation"), RIGHT)
def test_right_equations_verify_in_any_form(session: Session, quantity: str, equation: str) -> None:
    outcome = check(session, claim(quantity, equation))
    assert outcome.status is Status.VERIFIED, outcome.detail


WRONG = [
    ("q", r"q = \int Dz\, \tanh(\sqrt{\hat q} z)^4", Status.WRONG, ("wrong power", "")),
    ("q", r"q = -\int Dz\, \tanh^2(\sqrt{\hat q} z)", Status.OFF_BY_FACTOR, ("sign",)),
    ("q", r"1 - q = \int Dz\, \tanh^2(\sqrt{\hat q} z)", Status.WRONG, ("",)),
    ("q_hat", r"q = \int Dz\, \tanh^2(\sqrt{\hat q} z)", Status.WRONG, ("wrong quantity",)),
    ("q_hat", r"\hat q = \int Dz \left[\frac{G(X)}{H(X)}\right]^2" + X, Status.OFF_BY_FACTOR, ("factor",)),
    ("q_hat", r"\hat q = \frac{\alpha}{1-q}\int Dz \left[\frac{G(X)}{H(X)}\right]" + X, Status.WRONG, ("wrong power",)),
    ("free-entropy", r"\phi = \hat q (1-q)", Status.WRONG, ("",)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("quantity", "equation", "status", "kinds"), WRONG)
def test_wrong_equations_are_refuted(
    session: Session, quantity: str, equation: str, status: Status, kinds: tuple[str, ...]
) -> None:
    outcome = check(session, claim(quantity, equation))
    assert outcome.status is not Status.VERIFIED
    assert not outcome.passed
    if outcome.kind:
        assert outcome.kind in kinds or "" in kinds, outcome.detail
    if status is Status.OFF_BY_FACTOR:
        assert outcome.status is status, outcome.detail
    if outcome.kind == "wrong quantity":
        return
    assert outcome.values is not None
    assert outcome.values[0] != pytest.approx(outcome.values[1], rel=1e-8)


UNCHECKED = [
    ("q", r"q = q", "tautology"),
    ("q", r"\int Dz \tanh^2 z = 1 - \int Dz \operatorname{sech}^2 z", "tautology"),
    ("q", r"q = A, \quad A = q", "tautology"),
    ("free-entropy", r"\phi = \phi", "meaning|tautology"),
    ("free-entropy", r"\phi = B, \quad B = B + 1 - 1", "itself"),
    ("q", r"q \approx \int Dz \tanh^2(\sqrt{\hat q} z)", "approximate"),
    ("q", r"q = \frac{\partial}{\partial \hat q} F", "no meaning"),
    ("q", r"q = \nabla F", "gradients"),
    ("q", r"q = \int Dz \tanh^2(\sqrt{\hat Q} z)", "no meaning"),
    ("q", r"q = \int Dz \tanh^2(", "ends|missing|not closed"),
    ("q", r"q > \int Dz \tanh^2(\sqrt{\hat q} z)", "no equation"),
]


@pytest.mark.parametrize(("quantity", "equation", "reason"), UNCHECKED)
def test_what_is_not_checked_is_not_passed(session: Session, quantity: str, equation: str, reason: str) -> None:
    import re

    outcome = check(session, claim(quantity, equation))
    assert outcome.status is Status.NOT_CHECKED
    assert not outcome.passed
    assert re.search(reason, outcome.detail), outcome.detail


def test_a_form_that_needs_other_equations_holds_at_the_saddle_point_only(session: Session) -> None:
    equation = r"\phi = -\frac{\hat q}{2} \int Dz \operatorname{sech}^2(\sqrt{\hat q}z) + \int Dz \log 2\cosh\sqrt{\hat q}z"
    equation += r" + \alpha\int Dz\log H(X)" + X
    outcome = check(session, claim("free-entropy", equation))
    assert outcome.status is Status.SADDLE_POINT_ONLY
    assert not outcome.passed
    assert check(session, claim("free-entropy saddle-point-only", equation)).passed


def test_a_margin_that_the_document_never_mentions_vanishes(session: Session) -> None:
    equation = r"\hat q = \frac{\alpha}{1-q}\int Dz \left[\frac{G(X)}{H(X)}\right]^2, X = \sqrt{\frac{q}{1-q}} z"
    outcome = check(session, claim("q_hat", equation))
    assert outcome.status is Status.VERIFIED
    assert "kappa = 0" in outcome.detail
    mentioned = r"Margin \[ \kappa_c = \kappa + 1 \]"
    assert check(session, claim("q_hat", equation, before=mentioned)).status is Status.WRONG


def test_the_authors_letters_are_read_through_the_symbol_map(session: Session) -> None:
    before = r"% spinodal-symbols: Q = q, F = q_hat/2"
    outcome = check(session, claim("q", r"Q = \int Dz \tanh^2(\sqrt{2F}z)", before=before))
    assert outcome.status is Status.VERIFIED


def test_markdown_blocks_and_comments(session: Session) -> None:
    text = (
        "# Notes\n\n```python\n% spinodal: nothing here\n```\n\n"
        "```{saddle-point} binary-perceptron q\nq = \\int Dz \\tanh^2(\\sqrt{\\hat q} z)\n```\n\n"
        "<!-- spinodal: binary-perceptron q -->\n$$\nq = \\int Dz \\tanh^2(\\sqrt{q} z)\n$$\n"
    )
    first, second = session.outcomes(read_document(text, "notes.md", "markdown"))
    assert (first.status, first.line) == (Status.VERIFIED, 8)
    assert (second.status, second.kind, second.line) == (Status.WRONG, "hat missing", 13)


def test_an_ansatz_that_is_not_derived_is_not_checked(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spinodal.schemes.DERIVED", ("replica-symmetric",))
    outcome = check(session, claim("q1 ansatz=2rsb", r"q_1 = 0"))
    assert outcome.status is Status.NOT_CHECKED


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("% spinodal: binary-perceptorn q\n\\[q=1\\]", "did you mean binary-perceptron"),
        ("% spinodal: binary-perceptron\n\\[q=1\\]", "names no MODEL and QUANTITY"),
        ("% spinodal: binary-perceptron q kapa=1\n\\[q=1\\]", "did you mean kappa"),
        ("% spinodal: binary-perceptron q kappa=x\n\\[q=1\\]", "not a number"),
        ("% spinodal: binary-perceptron qq\n\\[q=1\\]", "no such quantity"),
        ("% spinodal-symbols: R r\n% spinodal: binary-perceptron q\n\\[q=1\\]", "no entry of a symbol map"),
    ],
)
def test_markup_that_is_not_well_formed_is_bad_input(session: Session, text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        check(session, text)
    assert caught.value.line == 1


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = tmp_path / "good.tex"
    good.write_text(claim("q", r"q = \int Dz \tanh^2(\sqrt{\hat q} z)"), encoding="utf-8")
    bad = tmp_path / "bad.md"
    bad.write_text(
        "```{saddle-point} binary-perceptron q\nq = 2\\int Dz \\tanh^2(\\sqrt{\\hat q} z)\n```\n", encoding="utf-8"
    )
    empty = tmp_path / "empty.md"
    empty.write_text("nothing", encoding="utf-8")
    assert main(["verify", str(good)]) == 0
    assert "verified" in capsys.readouterr().out
    assert main(["verify", str(good), str(bad), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [e["status"] for e in report["equations"]] == ["verified", "off-by-factor"]
    assert report["passed"] is False
    assert main(["verify", str(empty)]) == 2
    assert capsys.readouterr().out == ""
    assert main(["verify", str(tmp_path / "missing.tex")]) == 2
    assert main(["verify", str(tmp_path / "x.docx")]) == 2


def test_what_a_constrained_ansatz_leaves_open_need_not_be_given() -> None:
    claim = "% spinodal: binary-perceptron q_ref ansatz=franz-parisi\n% spinodal-symbols: Q = q_ref, \\hat Q = q_ref_hat\n"
    (outcome,) = verify_text(claim + r"$$ Q = \int Dx \tanh^2(\sqrt{\hat Q} x) $$").outcomes
    assert outcome.passed, outcome.detail


def test_overlaps_that_a_claim_leaves_open_are_drawn(session: Session) -> None:
    equation = r"q_1 = \int Dz \tanh^2(\sqrt{\hat q_1} z + \sqrt{\delta\hat q}\, t^\star(z)), "
    equation += (
        r"t^\star(z) = \arg\max_t \left[ -\frac{t^2}{2} + \log\cosh(\sqrt{\hat q_1} z + \sqrt{\delta\hat q} t) \right]"
    )
    outcome = check(session, claim("q1 ansatz=real-replicas", equation))
    assert outcome.status is Status.VERIFIED, outcome.detail


@pytest.mark.parametrize("equation", ["0 = 0", r"q = q", r"\hat q = \hat q + 0"])
def test_an_equation_without_the_quantity_claims_nothing(session: Session, equation: str) -> None:
    assert check(session, claim("free-entropy", equation)).status is not Status.VERIFIED


def test_a_remark_in_brackets_and_a_box_are_no_part_of_an_equation(session: Session) -> None:
    equation = r"\boxed{ q = \int Dz \tanh^2(\sqrt{\hat q} z) } \qquad (\alpha = 1)"
    assert check(session, claim("q", equation)).status is Status.VERIFIED


U = r"u(x) = \frac{\kappa-\sqrt q x}{\sqrt{1-q}}"
CHI = r"\chi(x) = \frac{G(u(x))}{H(u(x))}, \quad " + U
FUNCTIONS = [
    (r"g(z)^2", r"g(z) = \chi(X(z)), \quad X(z) = \frac{\kappa-\sqrt q z}{\sqrt{1-q}}, \quad \chi(X) = \frac{G(X)}{H(X)}"),
    (r"g(z)^2", r"g(z) = \chi_\kappa(z), \quad \chi_\kappa(x) = \frac{G(u(x))}{H(u(x))}, \quad " + U),
    (r"\Gamma(\chi(z))", r"\Gamma(x) = x^2, \quad " + CHI),
    (r"g^2", r"g = \chi(z), \quad " + CHI),
    (r"g(z,q)^2", r"g(z,q) = \chi(\frac{\kappa-\sqrt q z}{\sqrt{1-q}}), \quad \chi(\kappa) = \frac{G(\kappa)}{H(\kappa)}"),
    (r"\hat g^2(z)", r"\hat g(z) = \hat\chi\{u(z)\}, \quad \hat\chi(x) = \frac{G(x)}{H(x)}, \quad " + U),
]


@pytest.mark.parametrize(("body", "definitions"), FUNCTIONS)
def test_functions_of_the_document_may_use_one_another(session: Session, body: str, definitions: str) -> None:
    equation = rf"\hat q = \frac{{\alpha}}{{1-q}} \int Dz\, {body}, \quad {definitions}"
    assert check(session, claim("q_hat", equation)).status is Status.VERIFIED
    wrong = equation.replace(r"\sqrt q", "q")
    assert check(session, claim("q_hat", wrong)).kind == "wrong argument"


@pytest.mark.parametrize("energy", [r"\mathcal{G}_E(q)", r"\mathcal{G}_E"])
def test_a_function_of_order_parameters_is_also_written_without_them(session: Session, energy: str) -> None:
    equation = rf"\phi = -\frac{{\hat q}}{{2}}(1-q) + \mathcal{{G}}_S(\hat q) + \alpha {energy}, "
    equation += r"\mathcal{G}_S(x) = \int Dz \log 2\cosh(\sqrt{x} z), \mathcal{G}_E(q) = \int Dz \log H(X)" + X
    assert check(session, claim("free-entropy", equation)).status is Status.VERIFIED


def test_a_letter_that_is_defined_elsewhere_is_still_a_function_before_a_bracket(session: Session) -> None:
    before = r"The free entropy is \[ G = \frac{1}{N} \log Z . \]"
    equation = r"\hat q (1-q) = \alpha \int Dz \left[\frac{G(X)}{H(X)}\right]^2" + X
    assert check(session, claim("q_hat", equation, before=before)).status is Status.VERIFIED


def test_infinitely_many_replicas_far_from_their_centre(session: Session) -> None:
    """States with dq = 20, where the maximiser follows a function as narrow as 0.07."""
    equation = (
        r"\hat q_1 = \frac{\alpha}{\delta q}\int Dz\, t^\star(z)^2, \quad t^\star(z) = \arg\max_t\left[ -\frac{t^2}{2} +"
    )
    equation += r" \log H\left(\frac{\kappa - \sqrt{q_1} z - \sqrt{\delta q}\, t}{\sqrt{1-q_1}}\right)\right]"
    outcome = check(session, claim("q1_hat ansatz=real-replicas", equation))
    assert outcome.status is Status.VERIFIED, outcome.detail


#: Parts of a free entropy: (model, markup, equation).
PARTS = [
    ("binary-perceptron", "free_entropy_output", r"\mathcal{G}_E = \int Dz \log H(X)" + X),
    (
        "binary-perceptron",
        "free-entropy-prior",
        r"\mathcal{G}_S = -\frac{\hat q}{2}(1-q) + \int Dz \log 2\cosh(\sqrt{\hat q} z)",
    ),
    (
        "binary-perceptron",
        "free_entropy_output ansatz=1rsb",
        r"\mathcal{G}_E = \frac1m \int Dz \log\int Dx\, H^m\left(\frac{\kappa-\sqrt{q_0}z-\sqrt{q_1-q_0}x}{\sqrt{1-q_1}}\right)",
    ),
    (
        "random-features-binary",
        "free_entropy_block",
        r"G = -\frac12 \hat p_d p_d + \frac12 \hat p p - \hat r r - \frac12\log L + \frac{q(\hat p_d-\hat p)+(1-q)(\hat p+\hat r^2)}{2L},"
        r" L = 1-(1-q)(\hat p_d-\hat p)",
    ),
    (
        "random-features-binary",
        "free_entropy_output",
        r"G = 2\int Dz\, H\left(\frac{-M z}{\sqrt{Q-M^2}}\right) \log H\left(\frac{\kappa-\sqrt{Q} z}{\sqrt{Q_d-Q}}\right)",
    ),
]


@pytest.mark.parametrize(("model", "quantity", "equation"), PARTS)
def test_parts_of_a_free_entropy(session: Session, model: str, quantity: str, equation: str) -> None:
    """Prior, feature block and output channel, as in the free entropies that they are parts of."""
    outcome = check(session, claim(quantity, equation, model=model))
    assert outcome.status is Status.VERIFIED, outcome.detail
    old, new = (r"\frac12\log", r"\log") if "block" in quantity else (r"\int", r"2\int")
    doubled = equation.replace(old, new, 1)
    assert check(session, claim(quantity, doubled, model=model)).kind in ("factor", "sign")


def test_parts_that_are_differences_of_other_parts_say_nothing(session: Session) -> None:
    before = "% spinodal-symbols: f = free_entropy, g = free_entropy_prior"
    outcome = check(session, claim("free_entropy_output", r"\alpha G = f - g", before=before))
    assert outcome.status is Status.NOT_CHECKED


def test_quantities_may_be_claimed_in_terms_of_others(session: Session) -> None:
    before = "% spinodal-symbols: f = free_entropy"
    assert check(session, claim("entropy", "S = f", before=before)).status is Status.VERIFIED


def test_a_value_that_depends_on_the_rule_refutes_nothing(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spinodal.verify.compare.Target.disagreement", lambda *_: 0.5)
    outcome = check(session, claim("q", r"q = 2 \int Dz \tanh^2(\sqrt{\hat q} z)"))
    assert outcome.status is Status.NOT_CHECKED
    assert "not resolved" in outcome.detail


def test_a_capacity_without_its_parameters_is_that_at_their_defaults_and_says_so():
    claim = "% spinodal: spherical-perceptron capacity{at}\n\\[ \\alpha_c = 2 \\]\n"
    text = "A margin $\\kappa$ occurs here.\n" + claim.format(at="") + claim.format(at=" kappa=0.5")
    first, second = verify_text(text, form="latex").outcomes
    assert first.status.value == "verified"
    assert "at kappa = 0 to" in first.detail
    assert second.status.value == "wrong"
    assert "at kappa = 0.5, where the right side is 2" in second.detail


def test_what_is_wrong_with_markup_is_said_before_anything_is_compared(monkeypatch):
    text = "% spinodal: binary-perceptron q\n\\[ q = \\int Dz \\tanh^2(\\sqrt{\\hat q} z) \\]\n"
    monkeypatch.setattr("spinodal.verify.run.check", lambda task: pytest.fail("compared"))
    with pytest.raises(SpecError, match="kapa: no parameter"):
        verify_text(text + text.replace("perceptron q", "perceptron q kapa=1"), form="latex")


def test_comments_that_were_meant_as_markup_are_refused_at_their_place() -> None:
    right = "% spinodal: binary-perceptron q\n\\[ q = \\int Dz \\tanh^2(\\sqrt{\\hat q} z) \\]\n"
    for near in ("% spinodal binary-perceptron q", "% Spinodal: binary-perceptron q", "%% spinodal - binary-perceptron q",
                 "% spinodal symbols: R = r", "% Spinodal; my.toml q"):  # fmt: skip
        with pytest.raises(SpecError, match="no markup that is read") as caught:
            verify_text(f"{right}{near}\n\\[ q = 5 \\]\n", form="latex")
        assert (caught.value.line, caught.value.column) == (3, 1)
        assert "write '% spinodal" in str(caught.value)
    with pytest.raises(SpecError, match="no markup that is read"):
        verify_text("<!-- spinodal binary-perceptron q -->\n$$ q = 5 $$\n")
    ordinary = "% spinodal lines are drawn here\n% the spinodal: a line\n50\\% spinodal binary-perceptron q\n"
    assert verify_text(ordinary + right, form="latex").passed
    assert verify_text("`% spinodal binary-perceptron q` is wrong\n" + right).passed


def test_what_is_not_typeset_claims_nothing_and_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = "% spinodal: binary-perceptron q\n\\[ q = \\int Dz \\tanh^2(\\sqrt{\\hat q} z) \\]\n"
    hidden = f"\\iffalse\n\\ifdraft\n\\fi\n{right}\\fi\n"
    after = f"\\end{{document}}\n{right}"
    report = verify_text(hidden + right + after, form="latex")
    assert [o.line for o in report.outcomes] == [8]
    assert "line 4, 10" in report.notes[0]
    assert "not typeset" in report.notes[0]
    shown = f"\\iffalse\n\\else\n{right}\\fi\n"
    assert len(verify_text(shown, form="latex").outcomes) == 1
    file = tmp_path / "after.tex"
    file.write_text(after, encoding="utf-8")
    assert main(["verify", str(file)]) == 2
    file.write_text(right + after, encoding="utf-8")
    assert main(["verify", str(file)]) == 0
    assert "not typeset" in capsys.readouterr().err


def test_outcomes_are_in_the_order_of_their_lines(session: Session) -> None:
    rows = r"\begin{align} q &= \int Dz \tanh^2(\sqrt{\hat q} z), \\" + "\n" + r"\hat q &= 1 \end{align}"
    text = f"% spinodal: binary-perceptron q_hat\n% spinodal: binary-perceptron q\n{rows}\n"
    outcomes = list(session.outcomes(read_document(text, "text", "latex")))
    assert [(o.line, o.quantity) for o in outcomes] == [(3, "q"), (4, "q_hat")]


def test_a_product_that_vanishes_is_no_equation_to_report(session: Session) -> None:
    outcome = check(session, claim("q", r"(q-\int Dz\tanh^2(\sqrt{\hat q}z))(\hat q-5)=0"))
    assert outcome.status is Status.NOT_CHECKED
    assert "please report" not in outcome.detail


def test_messages_stand_where_the_mistake_is(session: Session) -> None:
    text = "% spinodal-symbols: \\chi = qhat\n" + claim("q", r"q = \int Dz \tanh^2(\sqrt{\chi} z)")
    outcome = check(session, text)
    assert outcome.place == (1, 1)
    assert "did you mean q_hat" in outcome.detail
    outcome = check(session, "% spinodal: binary-perceptron q\n\\begin{equation} q = 2\n")
    assert "not closed" in outcome.detail
    assert outcome.place == (2, 1)
    with pytest.raises(SpecError, match="did you mean q1_hat"):
        check(session, claim("q_hat_1 ansatz=1rsb", "q = 1"))
    assert verify_text(
        "% spinodal: binary-perceptron q\n\ufeff\\[ q = \\int Dz \\tanh^2(\\sqrt{\\hat q}z) \\]", form="latex"
    ).passed


def test_names_of_the_derivation_that_are_others_are_not_proposed(session: Session) -> None:
    outcome = check(session, claim("q", r"q = \int Dz \tanh^2(\sqrt{\hat q}z) + \theta(-\kappa)"))
    assert outcome.status is Status.WRONG
    assert "Q belongs" not in outcome.detail


def test_letters_of_temperature_and_of_other_claims_have_their_meaning(session: Session, tmp_path: Path) -> None:
    (tmp_path / "hot.toml").write_text(THERMAL, encoding="utf-8")
    boltzmann = r"e^{-\beta}H(-X)", r"e^{-\beta}H(-X)+H(X)"
    energy = rf"e = \alpha\int Dt \frac{{{boltzmann[0]}}}{{{boltzmann[1]}}}" + X.replace("z", "t")

    def both(entropy: str) -> list[Outcome]:
        text = claim("energy", energy, model="hot.toml") + claim("entropy", entropy, model="hot.toml")
        return list(session.outcomes(read_document(text, str(tmp_path / "text.tex"), "latex")))

    for right in (r"s = \phi + \beta e", r"s = \beta(e - f)"):
        assert [o.status for o in both(right)] == [Status.VERIFIED] * 2
    for wrong in (r"s = \phi - \beta e", r"s = \beta(e + f)", r"s = \phi + e"):
        assert not both(wrong)[1].passed

"""What a derivation prints, as a document whose equations claim to be what the step that they stand in says."""

from __future__ import annotations

from pathlib import Path

import spinodal
from spinodal.verify import verify_documents
from spinodal.verify.results import Outcome

#: What the first equations of a step are; the others define letters.
QUANTITIES = {
    "Prior channel": ("free_entropy_prior",),
    "Feature block": ("free_entropy_block",),
    "Output channel": ("free_entropy_output",),
    "Free entropy": (None, "free_entropy"),
}
#: What is no equation of this model, or defines what papers write without saying.
LEFT_OUT = ("Notation", "The model", "Saddle-point equations", "Stability", "Observables")


#: Letters of parameters whose names are none.
LETTERS = r"% spinodal-symbols: \lambda = lam"


def claims_of(spec: str | Path, ansatz: str | None = None) -> str:
    """The derivation as LaTeX, with a claim before every part of the free entropy."""
    lines = [r"\documentclass{article}", r"\begin{document}"]
    lines += [LETTERS] if "lam" in spinodal.load(spec, ansatz=ansatz).spec.parameter_names() else []
    for step in spinodal.load(spec, ansatz=ansatz).derive().steps:
        if step.title in LEFT_OUT:
            continue
        quantities = QUANTITIES.get(step.title, ())
        for k, equation in enumerate(step.equations):
            if k < len(quantities) and quantities[k] is not None:
                scheme = f" ansatz={ansatz}" if ansatz else ""
                lines.append(f"% spinodal: {Path(spec).name} {quantities[k]}{scheme}")
            lines += [r"\begin{equation}", equation, r"\end{equation}"]
    return "\n".join([*lines, r"\end{document}"])


def outcomes_of(spec: str | Path, folder: Path, ansatz: str | None = None) -> dict[str, Outcome]:
    """What verify says of the printed parts, by quantity; a spec file has to stand in the folder."""
    document = folder / "derivation.tex"
    document.write_text(claims_of(spec, ansatz), encoding="utf-8")
    return {outcome.quantity: outcome for outcome in verify_documents([document]).outcomes}

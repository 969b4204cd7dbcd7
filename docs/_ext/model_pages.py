"""A page for each shipped spec, generated from the spec: its declaration, a figure, reference numbers, the derivation.

The derivations under further ansaetze are on pages of their own.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from evidence import compared, rows
from sphinx.application import Sphinx

import spinodal
from spinodal.model import Model
from spinodal.plots import PAGE, PALETTE, new_figure, style, symbol
from spinodal.spec import shipped_models

#: The ansaetze that have a page for a spec beside the spec's own: no more than a build has time for.
FURTHER = {
    "binary-perceptron": ("1rsb", "real-replicas"),
    "binary-teacher-student": ("bayes-optimal",),
    "random-features-binary": ("real-replicas",),
}
_ABOUT = {
    "bayes-optimal": "the student that knows how teacher and labels were drawn",
    "1rsb": "one step of replica symmetry breaking",
    "real-replicas": "infinitely many real replicas at given overlap",
}
#: What an order parameter is, for the legend of a figure.
_MEANING = {
    "q": "overlap of two solutions",
    "p": "their overlap in input space",
    "r": "overlap with the teacher",
    "p_d": "self-overlap in input space",
    "q_d": "self-overlap",
}


def generate(app: Sphinx) -> None:
    """Write the pages."""
    folder = Path(app.srcdir) / "models"
    folder.mkdir(exist_ok=True)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        further = [pool.submit(_further, name, ansatz, folder) for name in FURTHER for ansatz in FURTHER[name]]
        own = [pool.submit(_page, name, folder) for name in shipped_models()]
        wanted = {folder / "index.md", *(page.result() for page in (*further, *own))}
    for stale in set(folder.glob("*.md")) - wanted:
        stale.unlink()
    listing = "\n".join(shipped_models())
    lines = [f"* [{name}]({name}.md): {spinodal.load(name).spec.description}" for name in shipped_models()]
    _write(
        folder / "index.md",
        "# Shipped models\n\nEach page is generated from the spec that ships with the package.\n\n"
        + "\n".join(lines)
        + f"\n\n```{{toctree}}\n:hidden:\n\n{listing}\n```\n",
    )


def _page(name: str, folder: Path) -> Path:
    model = spinodal.load(name)
    further = [f"{name}-{ansatz}" for ansatz in FURTHER.get(name, ())]
    caption = _figure(model, folder / f"{name}.png")
    source = shipped_models()[name].read_text(encoding="utf-8").rstrip()
    known = compared(name)
    parts = [f"# {name}", "", model.spec.description, "", "## The spec", "", "```toml", source, "```", ""]
    parts += ["## Along alpha", "", f"```{{figure}} {name}.png", f":alt: {caption}", "", caption, "```", ""]
    if known:
        parts += ["## Reference numbers", "", "Computed while this page was built, next to what is known:", ""]
        parts += [_markdown_table(rows(known, with_model=False)), ""]
    parts += [f"## Derivation ({model.ansatz})", "", _derivation(model)]
    if further:
        parts += ["## Other ansaetze", ""]
        parts += [f"* [{ansatz}]({name}-{ansatz}.md): {_ABOUT[ansatz]}" for ansatz in FURTHER[name]]
        parts += ["", "```{toctree}", ":hidden:", "", *further, "```"]
    return _write(folder / f"{name}.md", "\n".join(parts) + "\n")


def _further(name: str, ansatz: str, folder: Path) -> Path:
    back = f"Derivation for [{name}]({name}.md) under the ansatz `{ansatz}`: {_ABOUT[ansatz]}."
    text = f"# {name}: {ansatz}\n\n{back}\n\n{_derivation(spinodal.load(name, ansatz=ansatz))}"
    return _write(folder / f"{name}-{ansatz}.md", text)


def _derivation(model: Model) -> str:
    body = model.derive().to_markdown().partition("\n")[2]
    body = body.replace(model.spec.description, "", 1)
    # numbered as they stand: without this, what has rows is wrapped in an environment that allows no number
    return re.sub(
        r"^\$\$\n(.*?)\n\$\$$",
        lambda m: "```{math}\n:nowrap:\n\n\\begin{equation*}\n" + m.group(1) + "\n\\end{equation*}\n```",
        re.sub(r"^##", "###", body, flags=re.M),
        flags=re.M | re.S,
    )


def _figure(model: Model, path: Path) -> str:
    """Draw order parameters and free entropy up to the capacity; the caption says what they are."""
    point = model.locus("capacity", "alpha").special_points[0]
    end = point.parameters["alpha"] if point.converged else 1.5 * (model.spec.parameters[0].default or 1.0)
    alphas = np.linspace(0.01, 0.995, 40) * end
    solution = model.solve(alpha=alphas)
    overlaps = [n for n in solution.order_parameters if not n.endswith("_hat")]
    with style():
        figure, (left, right) = new_figure(PAGE, 3.1, columns=2)
        for colour, overlap in zip(PALETTE, overlaps, strict=False):
            left.plot(
                alphas, solution[overlap], color=colour, label=f"${symbol(overlap)}$, {_MEANING.get(overlap, overlap)}"
            )
        left.set_ylabel("overlaps")
        figure.legend(loc="outside lower center", ncols=2)
        right.plot(alphas, solution.free_entropy, color=PALETTE[-1])
        right.axhline(0.0, color="0.7", lw=0.6)
        right.set_ylabel(r"free entropy $\phi$ per weight")
        for axes in (left, right):
            axes.set_xlabel(rf"patterns per weight $\alpha$, up to the capacity {end:.4g}")
        figure.savefig(path, dpi=160, metadata={"Software": None})
    fixed = ", ".join(f"{p.name} = {p.default:g}" for p in model.spec.parameters[1:] if p.default is not None)
    return f"Left: overlaps. Right: free entropy per weight. Both up to the capacity {end:.6g}, at {fixed}."


def _markdown_table(lines: list[list[str]]) -> str:
    escaped = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    body = ["| " + " | ".join(line) + " |" for line in escaped]
    return "\n".join([body[0], "|" + " --- |" * len(lines[0]), *body[1:]])


def _write(path: Path, text: str) -> Path:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the generator."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True}

"""A page for each shipped spec, generated from the spec: its declaration, derivation, figure and reference number."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import numpy as np
from sphinx.application import Sphinx

import spinodal
from spinodal.spec import SpecError, shipped_models
from spinodal.spec import __file__ as spec_file

matplotlib.use("Agg")


def generate(app: Sphinx) -> None:
    """Write the pages."""
    folder = Path(app.srcdir) / "models"
    folder.mkdir(exist_ok=True)
    names = []
    for name in shipped_models():
        try:
            text = _page(name, folder)
        except SpecError as error:
            text = f"# {name}\n\nThis version does not derive this spec: {error.message}\n"
        _write(folder / f"{name}.md", text)
        names.append(name)
    listing = "\n".join(names)
    _write(folder / "index.md", f"# Shipped models\n\n```{{toctree}}\n{listing}\n```\n")


def _page(name: str, folder: Path) -> str:
    from matplotlib import pyplot as plt

    model = spinodal.load(name)
    derivation = model.derive()
    source = (Path(spec_file).parent / "models" / f"{name}.toml").read_text(encoding="utf-8")
    alphas = np.linspace(0.05, 1.0, 30) * (model.spec.parameters[0].default or 1.0) * 1.5
    solution = model.solve(alpha=alphas)
    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    for overlap in [n for n in solution.order_parameters if not n.endswith("_hat") and not n.endswith("_d")]:
        axes.plot(alphas, solution[overlap], label=overlap)
    axes.plot(alphas, solution.free_entropy, label="free entropy", color="black", linestyle="--")
    axes.set_xlabel("alpha")
    axes.legend()
    figure.savefig(folder / f"{name}.png", dpi=110, metadata={"Software": None})
    plt.close(figure)
    body = derivation.to_markdown()
    body = re.sub(r"^#", "##", body.partition("\n")[2], flags=re.M)
    # numbered as they stand: without this, what has rows is wrapped in an environment that allows no number
    body = re.sub(
        r"^\$\$\n(.*?)\n\$\$$",
        lambda m: "```{math}\n:nowrap:\n\n\\begin{equation*}\n" + m.group(1) + "\n\\end{equation*}\n```",
        body,
        flags=re.M | re.S,
    )
    capacity = model.locus(of="capacity", along="alpha").special_points[0]
    number = (
        f"alpha_c = {capacity.parameters['alpha']:.12g} (error estimate {capacity.error_estimate:.0e})"
        if capacity.converged
        else "this model has no capacity at its default parameters"
    )
    return "\n".join(
        [
            f"# {name}",
            "",
            model.spec.description,
            "",
            "## The spec",
            "",
            "```toml",
            source.rstrip(),
            "```",
            "",
            "## Order parameters along alpha",
            "",
            f"![Order parameters and free entropy of {name} against alpha]({name}.png)",
            "",
            f"Capacity at the default parameters: {number}.",
            "",
            body,
        ]
    )


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the generator."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True}

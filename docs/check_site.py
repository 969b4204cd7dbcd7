"""Open the built site in a headless browser: no failed resource, no unrendered mathematics; screenshots to look at.

python docs/check_site.py docs/_build/html [screenshots]
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

#: The pages whose screenshots are taken, to be looked at.
SHOWN = (
    "index.html",
    "tutorial.html",
    "theory/typical.html",
    "theory/atypical.html",
    "models/random-features-binary.html",
    "correctness.html",
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def browser() -> str:
    """The browser's path."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        sys.exit("no headless browser; install chromium")
    return found


def opened(page: Path, *options: str) -> tuple[str, str]:
    """The page's document after its scripts have run, and what the browser logged."""
    with tempfile.TemporaryDirectory() as profile:
        command = [browser(), "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
        command += [
            f"--user-data-dir={profile}",
            "--virtual-time-budget=30000",
            "--enable-logging=stderr",
            "--v=0",
            *options,
        ]
        done = subprocess.run([*command, page.resolve().as_uri()], capture_output=True, text=True, timeout=180, check=False)
    return done.stdout, done.stderr


def problems(page: Path) -> list[str]:
    """What is wrong with a page."""
    source = page.read_text(encoding="utf-8")
    external = re.findall(r'<(?:script|img|link)[^>]+(?:src|href)="(https?://[^"]+)"', source)
    found = [f"needs the network: {url}" for url in external if "rel=" not in url]
    wanted = len(re.findall(r'class="math ', source))
    dom, log = opened(page, "--dump-dom")
    found += [line[:200] for line in log.splitlines() if re.search(r"ERR_|Failed to load|Uncaught", line)]
    dom = re.sub(r"<style.*?</style>", "", dom, flags=re.S)
    drawn = len(re.findall(r"<mjx-container", dom))
    if drawn < wanted:
        found.append(f"{wanted} formulas, {drawn} drawn")
    if 'data-mml-node="merror"' in dom or "data-mjx-error=" in dom:
        found.append("a formula that MathJax does not understand")
    return found


def main(arguments: list[str]) -> int:
    """Check every page; the exit status is 1 if anything is wrong."""
    site = Path(arguments[0])
    pages = [
        p for p in sorted(site.rglob("*.html")) if p.name not in ("genindex.html", "search.html") and "_" not in p.parts
    ]
    failed = 0
    for page in pages:
        wrong = problems(page)
        failed += bool(wrong)
        print(f"{page.relative_to(site)}: {'; '.join(wrong) if wrong else 'ok'}")
    if len(arguments) > 1:
        folder = Path(arguments[1])
        folder.mkdir(parents=True, exist_ok=True)
        for name in SHOWN:
            picture = (folder / f"{name.removesuffix('.html').replace('/', '-')}.png").resolve()
            opened(site / name, f"--screenshot={picture}", "--window-size=1300,2600")
    print(f"{len(pages) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

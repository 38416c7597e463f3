"""What MkDocs cannot know: pages made of the code, and tutorials that are run while it builds.

Equations become MathML, which browsers draw by themselves, and examples of docstrings blocks.

The Python blocks of a page in ``tutorials/`` run one after the other in one namespace. What a block
prints stands below it, and so does every figure that it leaves behind. A block that fails ends the
build. With ``INVSCORE_TUTORIALS=shown`` in the environment they are shown and not run.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import os
import re
from html import unescape
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
DOCTEST = re.compile(r"^>>> .*(?:\n(?!\s*$).+)*", re.MULTILINE)
TINY = re.compile(r"<!-- tiny: (.*?) -->")

COPIED = {
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "reference/configuration.md": "configs/train/README.md",
    "pictures/deblur.jpg": "examples/pictures/deblur.jpg",
    "pictures/inpaint.jpg": "examples/pictures/inpaint.jpg",
}
"""Pages of the manual and the files of the repository that they are."""

PACKAGES = (
    "invscore",
    "invscore.operators",
    "invscore.priors",
    "invscore.methods",
    "invscore.sampling",
    "invscore.processes",
    "invscore.calibration",
    "invscore.uncertainty",
    "invscore.metrics",
    "invscore.readers",
    "invscore.training.objectives",
    "invscore.baselines",
    "invscore.viewer",
)
"""Those whose public names have a page each."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add to the navigation the pages of packages, and those of ``docs/`` that it does not name."""
    sections = {name: pages for each in config.nav or [] for name, pages in each.items()}
    sections["Reference"] += [f"reference/{name}.md" for name in PACKAGES]
    named = repr(config.nav)
    pages = [page.name for page in sorted(Path(config.docs_dir).glob("*.md"))]
    sections["Your own"] += [page for page in pages if f"'{page}'" not in named]
    config.markdown_extensions.append(Examples())  # type: ignore[arg-type]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made of the code, and those that live elsewhere."""
    for page, source in COPIED.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    files.append(File.generated(config, "reference/commands.md", content=commands()))
    for page, content in packages().items():
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Run the blocks of a tutorial; lead links into the repository to pages, or nowhere."""
    place = page.file.src_uri
    if place.startswith("tutorials/") and os.environ.get("INVSCORE_TUTORIALS") != "shown":
        folder = Path(config.site_dir) / "tutorials" / "pictures" / Path(place).stem
        markdown = executed(markdown, folder, files, config, place)
    return linked(markdown, place)


def on_page_content(html: str, **_: Any) -> str:
    """Equations as MathML."""
    return with_equations(html)


def with_equations(page: str) -> str:
    """The HTML of a page with the TeX in it, inline and displayed, as MathML."""

    def drawn(found: re.Match[str]) -> str:
        display = "block" if found[1] == "div" else "inline"
        tex = re.sub(r"\\tag\{(.*?)\}", r"\\qquad (\1)", unescape(found[2]))
        return convert(tex, display=display)

    return EQUATION.sub(drawn, page)


class Examples(Extension):
    """Examples of docstrings, from ``>>>`` to the next empty line, as blocks of Python."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        md.preprocessors.register(_Fenced(md), "examples", 29)


class _Fenced(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        text = DOCTEST.sub(lambda found: f"```pycon\n{found[0]}\n```", "\n".join(lines))
        return text.split("\n")


def linked(markdown: str, place: str) -> str:
    """Links of ``place`` to files that the manual does not have are words without a link."""
    pages = {source: page for page, source in COPIED.items()}
    source = ROOT / COPIED.get(place, f"docs/{place}")

    def lead(found: re.Match[str]) -> str:
        words, target = found.groups()
        path, _, anchor = target.partition("#")
        if "://" in target or not path:
            return found[0]
        file = Path(os.path.normpath(source.parent / path))
        try:
            within = file.relative_to(ROOT).as_posix()
        except ValueError:
            return found[0]
        if within.startswith("docs/"):
            to = within.removeprefix("docs/")
        elif within in pages:
            to = pages[within]
        elif place in COPIED or not within.startswith("docs/"):
            return words if file.exists() else found[0]
        relative = os.path.relpath(to, Path(place).parent).replace(os.sep, "/")
        return f"[{words}]({relative}{'#' + anchor if anchor else ''})"

    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", lead, markdown)


def executed(markdown: str, folder: Path, files: Files, config: MkDocsConfig, place: str) -> str:
    """``markdown`` with what its blocks print and draw."""
    namespace: dict[str, Any] = {"__name__": place}
    shown = {"pictures": 0}

    def run(found: re.Match[str]) -> str:
        printed, figures = run_block(found[1], namespace, place)
        text = found[0]
        if printed.strip():
            text += f"\n```text\n{printed.rstrip()}\n```\n"
        for figure in figures:
            shown["pictures"] += 1
            name = f"{shown['pictures']}.png"
            target = f"tutorials/pictures/{folder.name}/{name}"
            files.append(File.generated(config, target, content=figure))
            text += f"\n![{folder.name}, figure {name}](pictures/{folder.name}/{name})\n"
        return text

    return BLOCK.sub(run, markdown)


def run_block(code: str, namespace: dict[str, Any], place: str) -> tuple[str, list[bytes]]:
    """What ``code`` prints, and the figures (PNG) that it leaves in the variable ``figure``."""
    namespace.pop("figure", None)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, place, "exec"), namespace)
    if (figure := namespace.get("figure")) is None:
        return out.getvalue(), []
    picture = io.BytesIO()
    figure.savefig(picture, dpi=110, bbox_inches="tight")
    return out.getvalue(), [picture.getvalue()]


def tiny(markdown: str) -> list[str]:
    """The blocks of a tutorial with the sizes of ``<!-- tiny: size = 16; steps = 2 -->``."""
    smaller = dict(
        part.strip().split(" = ", 1) for note in TINY.findall(markdown) for part in note.split(";")
    )
    blocks = BLOCK.findall(markdown)
    for name, value in smaller.items():
        line = re.compile(rf"^{name} = [^#\n]*", re.MULTILINE)
        if not any(line.search(block) for block in blocks):
            raise ValueError(f"no block sets {name}")
        blocks = [line.sub(f"{name} = {value}  ", block) for block in blocks]
    return blocks


def packages() -> dict[str, str]:
    """A page for each package: its public functions and classes, each where it is met first."""
    seen: set[str] = set()
    pages = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        lines = [f"# {package}", "", *(module.__doc__ or "").strip().split("\n"), ""]
        for name in module.__all__:
            thing = getattr(module, name)
            path = f"{thing.__module__}.{thing.__qualname__}" if callable(thing) else ""
            if not path.startswith("invscore.") or path in seen or not inspect.getdoc(thing):
                continue
            seen.add(path)
            lines.append(f"::: {path}")
        pages[f"reference/{package}.md"] = "\n".join(lines) + "\n"
    return pages


def commands() -> str:
    """Every command with its arguments and options, from the command line itself."""
    import typer

    from invscore.cli.main import app

    lines = [
        "# Commands",
        "",
        "Made of the command line itself; `invscore COMMAND --help` says the same.",
    ]

    def walk(command: Any, name: str) -> None:
        for child_name, child in getattr(command, "commands", {}).items():
            if not child.hidden:
                walk(child, f"{name} {child_name}")
        if getattr(command, "commands", None):
            return
        lines.extend(["", f"## {name}", "", *(command.help or "").strip().splitlines(), ""])
        lines.extend(["| option | | default |", "| --- | --- | --- |"])
        for parameter in command.params:
            opts = getattr(parameter, "opts", [parameter.name])
            metavar = getattr(parameter, "metavar", None) or ""
            default = parameter.default
            told = "required" if parameter.required else default
            told = "" if told is None or callable(told) or told is False else f"`{told}`"
            text = (getattr(parameter, "help", None) or "").replace("|", "\\|").replace("\n", " ")
            names = ", ".join(f"`{opt}`" for opt in opts) + (f" `{metavar}`" if metavar else "")
            lines.append(f"| {names.replace('|', chr(92) + '|')} | {text} | {told} |")

    walk(typer.main.get_command(app), "invscore")
    return "\n".join(lines) + "\n"

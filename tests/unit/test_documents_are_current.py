"""The documents say what is: settings as the code has them, sizes that can be read, links that lead somewhere."""

import ast
import re
import subprocess
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest

from tests.conftest import ROOT
from tests.support import settings_document


def tracked_documents() -> list[Path]:
    """Every Markdown file that git knows."""
    told = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [ROOT / name for name in told]


def without_code(text: str) -> str:
    """What is not in a code block, nor between backticks."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.S | re.M))


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(document: Path) -> list[str]:
    """The links of a document to files or headings of this repository that are not there."""
    text = document.read_text()
    targets = re.findall(r"\]\(([^)\s]+)\)", without_code(text)) + re.findall(r'(?:src|srcset|href)="([^"]+)"', text)
    broken = []
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        to = (document.parent / path).resolve() if path else document
        if not to.exists() or (anchor and to.suffix == ".md" and anchor not in anchors(to.read_text())):
            broken.append(target)
    return broken


def unknown_names(code: str) -> list[str]:
    """What a piece of Python imports from our packages that is not there. Raises SyntaxError for what is no Python."""
    missing = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0].startswith("arqlight"):
            module = import_module(node.module)
            missing += [f"{node.module}.{name.name}" for name in node.names if not hasattr(module, name.name)]
    return missing


def test_the_page_of_settings_is_what_the_code_says() -> None:
    assert settings_document.DOCUMENT.read_text() == settings_document.render(), (
        f"docs/settings.md is stale; renew it with: {settings_document.COMMAND}"
    )


@pytest.mark.parametrize(("name", "most"), [("README.md", 130), ("ARCHITECTURE.md", 150)])
def test_what_is_read_first_stays_short(name: str, most: int) -> None:
    lines = len((ROOT / name).read_text().splitlines())
    assert lines <= most, f"{name} has {lines} lines, {most} at most; move details to docs/"


def test_links_between_documents_lead_somewhere() -> None:
    documents = tracked_documents()
    assert ROOT / "README.md" in documents
    assert {str(each.relative_to(ROOT)): broken_links(each) for each in documents if broken_links(each)} == {}


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A heading, with `code`\n")
    document = tmp_path / "document.md"
    document.write_text(
        "[a](there.md) [b](there.md#a-heading-with-code) [c](https://example.org) [d](gone.md) [e](there.md#gone)\n"
        "`[f](gone.md)`\n```\n[g](gone.md)\n```\n"
    )
    assert broken_links(document) == ["gone.md", "there.md#gone"]


def test_examples_are_python_and_import_what_is_there() -> None:
    blocks = [
        (each.name, dedent(code))
        for each in tracked_documents()
        for code in re.findall(r"^ *```python\n(.*?)^ *```$", each.read_text(), re.S | re.M)
    ]
    assert len(blocks) >= 7
    assert [(name, unknown_names(code)) for name, code in blocks if unknown_names(code)] == []
    assert unknown_names("from arqlight import Client, Gone") == ["arqlight.Gone"]

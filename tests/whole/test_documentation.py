"""What the pages say exists: links, headings, make targets, commands, parameters, files of code."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from mkdocs.commands.build import build
from mkdocs.config import load_config

from tests.conftest import ROOT, shell

READMES = [ROOT / "README.md", ROOT / "README.ja.md"]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
DOCUMENTS = [*READMES, ROOT / "CONTRIBUTING.md", *PAGES]
# The changelog also names what is no more.
LINKING = [*DOCUMENTS, ROOT / "CHANGELOG.md"]
LONGEST = 200  # lines of a README

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^()\s]+)\)")
DOTTED = re.compile(r"\+?([a-z_]+(?:\.[a-z0-9_]+)+)(?=$|[:= ])")
# `report.html` and `gate.md` are files, not parameters of the sections of that name.
SUFFIXES = {"csv", "html", "json", "md", "npy", "png", "py", "xlsx", "yaml", "yml"}

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))


@cache
def text(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def prose(document: Path) -> str:
    """The document without its blocks of code."""
    return FENCE.sub("", text(document))


def spans(document: Path) -> list[str]:
    """What stands in backticks, a line break counted as a space."""
    return [" ".join(span.split()) for span in SPAN.findall(prose(document))]


def blocks(document: Path, *languages: str) -> list[str]:
    return [block for _, language, block in FENCE.findall(text(document)) if language in languages]


def commands(document: Path) -> list[str]:
    """Everything that a reader is told to type, one command each, without comments."""
    typed = [line for block in blocks(document, "sh", "yaml") for line in block.splitlines()]
    lines = [re.sub(r"(^|\s)#.*", "", line).strip().removeprefix("- ") for line in typed] + spans(document)
    return [command.strip() for line in lines for command in re.split(r"&&|;|\|", line) if command.strip()]


def arguments(document: Path, program: str) -> list[list[str]]:
    """The words after `program` of each command that starts with it."""
    return [words[1:] for words in map(str.split, commands(document)) if words[0] == program]


def headings(document: Path) -> list[str]:
    return re.findall(r"^#+ +(.+?) *$", prose(document), re.MULTILINE)


def anchors(document: Path) -> set[str]:
    """What the headings of a document are linked by: GitHub's rule, and MkDocs's for plain headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(document)}


def without_target(document: Path) -> list[str]:
    """The relative links of a document that lead nowhere."""
    broken = []
    for link in LINK.findall(prose(document)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


def listed(entry: object) -> list[str]:
    """The pages that a part of mkdocs.yml's nav names."""
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [page for part in parts for page in listed(part)]


def known_parameter(name: str) -> bool:
    """Whether params.yaml has the parameter; below an empty table (`train.fine_tune.first`) all may stand."""
    here = yaml.safe_load(text(ROOT / "params.yaml"))
    for part in name.split("."):
        if here == {}:
            return True
        if not isinstance(here, dict) or part not in here:
            return False
        here = here[part]
    return True


def parameters(document: Path) -> set[str]:
    """The dotted names in backticks, or set by `-S`, whose first part is a section of params.yaml."""
    sections = yaml.safe_load(text(ROOT / "params.yaml"))
    named = [word for span in spans(document) for word in re.split(r"[ ']", span)]
    named += re.findall(r"-S '?(\S+)", "\n".join(blocks(document, "sh")))
    found = {match.group(1) for match in map(DOTTED.match, named) if match}
    return {name for name in found if name.split(".")[0] in sections and name.split(".")[-1] not in SUFFIXES}


@pytest.mark.parametrize("readme", READMES, ids=lambda file: file.name)
def test_a_readme_is_short(readme):
    assert len(text(readme).splitlines()) <= LONGEST


@pytest.mark.parametrize("document", LINKING, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document):
    assert without_target(document) == []


def test_a_link_to_nothing_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# One page\n\n[a](page.md#one-page) [b](https://example.org) [c](#two) [d](no.md)\n\n"
        "```sh\n[e](none.md)\n```\n",
        encoding="utf-8",
    )
    assert without_target(page) == ["#two", "no.md"]


def test_the_site_is_built_without_a_warning_and_shows_every_page_once(tmp_path):
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path), strict=True)
    build(config)  # a link or an anchor that leads nowhere stops it
    nav = config["nav"]
    assert sorted(listed(nav)) == sorted(page.relative_to(ROOT / "docs").as_posix() for page in PAGES)


def test_both_readmes_show_the_same():
    english, japanese = READMES
    assert blocks(english, "text", "python") == blocks(japanese, "text", "python")
    assert parameters(english) == parameters(japanese)
    assert len(headings(english)) == len(headings(japanese))


@pytest.mark.parametrize("page", sorted((ROOT / "docs/ja").glob("*.md")), ids=lambda file: file.name)
def test_a_japanese_page_is_about_the_same_as_its_english_one(page):
    english = ROOT / "docs" / page.name
    assert parameters(page) == parameters(english)
    assert len(headings(page)) == len(headings(english))


@each_document
def test_every_target_of_make_exists(document):
    targets = set(re.findall(r"^\.PHONY: (.+)", text(ROOT / "Makefile"), re.MULTILINE))
    targets = {target for line in targets for target in line.split()}
    typed = {word for words in arguments(document, "make") for word in words if "=" not in word}
    assert typed - targets == set()


@each_document
def test_every_command_of_sabi_exists(document):
    from sabi.cli import app

    known = {
        command.name or command.callback.__name__.replace("_", "-") for command in app.registered_commands
    }
    typed = {
        words[0] for words in arguments(document, "sabi") if words and re.fullmatch("[a-z][a-z-]*", words[0])
    }
    assert typed - known == set()


@each_document
def test_every_parameter_exists(document):
    assert {name for name in parameters(document) if not known_parameter(name)} == set()


def test_a_parameter_that_is_not_there_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "`train.head: dense`, `train.heads`, `report.html`, `gate.md`\n\n"
        "```sh\ndvc exp run -S 'split.none=[1]' -S +train.fine_tune.first.vgg16=block5_conv1\n```\n",
        encoding="utf-8",
    )
    assert {name for name in parameters(page) if not known_parameter(name)} == {"train.heads", "split.none"}


def files(document: Path) -> set[str]:
    """Files and folders of the repository that a document names. Those that a run makes are not there yet."""
    folders = r"(sabi|stages|tests|docs|metrics|\.github|\.devcontainer|\.vscode)(/[\w./-]*)?"
    known = r"(dvc|params|mkdocs)\.yaml|\w+\.(lock|toml|yml|md|cff)|Dockerfile|Makefile"
    made = {"gate.md", "comparison.md", ".gitlab-ci.yml"}
    named = {span for span in spans(document) if re.fullmatch(f"{folders}|{known}", span)}
    return named - made - {"sabi"}  # the command


@each_document
def test_every_file_that_is_named_exists(document):
    assert {name for name in files(document) if not (ROOT / name).exists()} == set()


def test_a_file_that_is_not_there_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "`sabi/networks.py`, `sabi/none.py`, `Makefile`, `gate.md`, `.github/none`\n", encoding="utf-8"
    )
    assert {name for name in files(page) if not (ROOT / name).exists()} == {"sabi/none.py", ".github/none"}


def test_the_layout_names_every_package_and_module():
    tree = text(ROOT / "docs/layout.md")
    packages = {file.parent.name for file in (ROOT / "sabi").glob("*/__init__.py")}
    assert {name for name in packages if f"  {name}/ " not in tree} == set()
    # Those of settings are named like the sections of params.yaml.
    files = [file for file in (ROOT / "sabi").rglob("*.py") if file.parent.name != "settings"]
    modules = {file.stem for file in files} - {"__init__"}
    assert {name for name in modules if not re.search(rf"\b{name}\b", tree)} == set()


def test_the_citation_follows_its_schema():
    shell("check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff", ROOT)

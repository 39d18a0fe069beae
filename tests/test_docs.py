"""Documentation under test: generated pages are fresh, links lead somewhere, every command is documented."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_to_files(page):
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not missing


def test_the_page_of_the_command_line_is_fresh(tmp_path):
    made = tmp_path / "cli.md"
    command = ["-m", "typer", "sen12ts_pipeline.cli.main", "utils", "docs", "--name", "sen12ts", "--output", str(made)]
    subprocess.run([sys.executable, *command], check=True, capture_output=True, cwd=ROOT, env={"COLUMNS": "200"})
    assert made.read_text() == (ROOT / "docs/cli.md").read_text(), "make docs writes it anew"


def test_every_decision_says_context_decision_and_consequence():
    for page in sorted(ROOT.glob("docs/decisions/*.md")):
        text = page.read_text()
        assert all(f"**{part}.**" in text for part in ("Context", "Decision", "Consequence")), page.name


def test_the_card_and_the_page_name_the_same_differences():
    differences = (ROOT / "sen12ts_pipeline/dataset/texts/deviations.md").read_text()
    assert differences in (ROOT / "docs/dataset.md").read_text()

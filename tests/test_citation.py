"""CITATION.cff names the version that is there, and the paper that README names."""

from pathlib import Path

import yaml

import seat_components

ROOT = Path(__file__).parents[1]


def test_the_citation_is_of_this_version_and_of_the_paper_on_the_cards():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == seat_components.__version__
    assert f"license = {citation['license']}\n" in (ROOT / "setup.cfg").read_text()
    card = (ROOT / "bundles" / "msd_task04_hippocampus" / "docs" / "README.md").read_text(encoding="utf-8")
    for reference in citation["references"]:
        assert reference["title"] in card
        assert f"https://doi.org/{reference['doi']}" in card if "doi" in reference else reference["url"] in card
        assert ", ".join(author["family-names"] for author in reference["authors"]) in card

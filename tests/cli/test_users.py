"""`card` and `export` over a finished partition."""

import pytest


@pytest.fixture
def made(sen12ts, store):
    """The store of a finished partition."""
    code, _, err = sen12ts("run", "tiny", "--season", "fall")
    assert code == 0, err
    return store


def test_a_card_is_written_beside_the_data_set(made, sen12ts):
    code, out, err = sen12ts("card", "--statistics", "--title", "Tiny")
    assert (code, out) == (0, f"{made}/card.html\n"), err
    text = (made / "README.md").read_text()
    assert text.startswith("# Tiny\n\n2 triplets of 1 tiles in tiny, 2023.")
    assert "Numbers of the layers" in text
    assert sen12ts("verify", str(made / "tiny"))[0] == 0
    assert sen12ts("reconcile") == (0, "0 differences: 0 mended in the ledger, 0 orphans, 0 faults\n", "")


def test_an_export_holds_every_triplet(made, sen12ts, tmp_path):
    code, out, err = sen12ts("export", str(tmp_path / "shards"))
    assert code == 0, err
    assert out.startswith("2 triplets in 1 shards, 0.0")
    assert sen12ts("export", str(tmp_path / "shards"), "--from", str(made / "tiny"))[0] == 0
    code, _, err = sen12ts("export", str(tmp_path / "other"), "--aoi", "iowa")
    assert code == 2
    assert "must be areas with finished triplets; got 'iowa'" in err

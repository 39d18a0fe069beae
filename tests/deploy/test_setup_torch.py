"""The environment of PyTorch and the cloud masks' networks."""

from deploy.local import setup_torch
from tests.deploy.test_requirements import ROOT, pins


def test_the_masker_of_the_papers_areas_is_tested_in_the_versions_that_production_installs():
    tested = dict(one.replace("[cpu]", "").split("==") for one in setup_torch.PACKAGES)
    installed = pins(ROOT / "requirements" / "production.txt")
    for name in ("ukis-csmask", "onnxruntime"):
        assert tested[name] == installed[name]

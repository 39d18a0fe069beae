"""Settings files for tests."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"

AOI = """
name: nevada
boundary: nevada.geojson
year: 2023
labels: {name: worldcover_2020_v100}
"""


def write(folder, name, text):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file

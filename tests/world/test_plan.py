"""A plan of an area in a live archive: its cost is told before anything is fetched."""

from sen12ts_pipeline import wiring
from sen12ts_pipeline.settings.load import write_aoi
from sen12ts_pipeline.stages import report
from tests import worlds


def test_a_plan_asks_catalogues_and_nobody_else(world, hasty, tmp_path):
    area = world.area("cdse")
    area = area.model_copy(
        update={
            "dem": area.dem.model_copy(update={"source": "glo30", "path": None}),
            "labels": area.labels.model_copy(
                update={"source": "worldcover", "path": None, "name": "worldcover_2021", "allow_other_year": True}
            ),
        }
    )
    write_aoi(area, tmp_path / "aois")
    environ = {"SEN12TS_AOIS": str(tmp_path / "aois"), "SEN12TS__STORE": str(tmp_path / "store"), **world.environ}
    partition = f"{area.name}/{worlds.FALL}"
    before = len(world.journal.exchanges)
    text = report.plan_text(partition, wiring.preview(area.name, environ))
    assert {exchange.request.host for exchange in world.journal.exchanges[before:]} == {"catalogue"}
    assert "triplets    at most" in text
    assert "requests" in text
    assert "days" in text
    assert not list((tmp_path / "store").rglob("*.json"))

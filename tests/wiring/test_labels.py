"""Label maps by their source, with the classes that belong to them."""

from pathlib import Path

import pytest

from sen12ts_pipeline import ports
from sen12ts_pipeline.errors import ConfigurationError
from tests import worlds

LABELS = Path(__file__).parents[1] / "data" / "labels"


class TestLabels:
    """Which source the settings of labels name, with its classes and its year."""

    @pytest.fixture
    def connect(self, tiny, tmp_path):
        def services_of(**labels):
            settings = {"name": "any", "allow_other_year": True, **labels}
            return worlds.services_of(tiny, tmp_path / "store", area=worlds.area_of(tiny, labels=settings))

        return services_of

    @pytest.mark.parametrize(
        ("source", "file", "kind", "classes", "year"),
        [
            ("worldcover", "worldcover_2021_sao_tome.tif", "WorldCoverLabels", "worldcover", 2021),
            ("cdl", "cdl_2021_kansas.tif", "CdlLabels", "cdl", 2021),
            ("parcels", "dun_2023_sample.gpkg", "ParcelLabels", "sigpac", 2023),
            ("raster", "cdl_2021_kansas.tif", "RasterLabels", "", None),
        ],
    )
    def test_are_connected_by_their_source(self, connect, source, file, kind, classes, year):
        services = connect(source=source, path=str(LABELS / file))
        assert isinstance(services.labels, ports.LabelSource)
        assert (type(services.labels).__name__, services.label_classes, services.label_year) == (kind, classes, year)
        assert services.other_label_year

    def test_of_a_raster_have_the_table_that_their_name_begins_with(self, connect):
        services = connect(source="raster", name="cdl_2021", path=str(LABELS / "cdl_2021_kansas.tif"), year=2021)
        assert (services.label_classes, services.label_year) == ("cdl", 2021)

    def test_of_one_s_own_classes_have_their_table(self, connect, tmp_path):
        (tmp_path / "own.csv").write_text("code,name,color\n1,Agrostis,#010203\n2,Albercoquer,\n2,Fruit,\n")
        own = {"path": str(LABELS / "dun_2023_sample.gpkg"), "classes": str(tmp_path / "own.csv")}
        vector = connect(source="vector", column="cultiu", **own)
        assert {code: one.name for code, one in vector.label_classes.items()} == {1: "Agrostis", 2: "Albercoquer"}
        parcels = connect(source="parcels", **own)
        assert parcels.label_classes[2].name == "Albercoquer"
        assert parcels.label_classes[110].name == "Barley"
        assert (
            parcels.labels.identity["sha256"] != connect(source="parcels", path=own["path"]).labels.identity["sha256"]
        )

    def test_whose_files_tell_another_year_than_the_settings_are_refused(self, connect):
        with pytest.raises(ConfigurationError, match=r"labels\.year: must be the year of the files, 2021; got 2020"):
            connect(source="cdl", path=str(LABELS / "cdl_2021_kansas.tif"), year=2020)

    def test_of_polygons_need_a_column(self, connect):
        with pytest.raises(ConfigurationError, match=r"labels\.column: must be given for a vector"):
            connect(source="vector", path=str(LABELS / "dun_2023_sample.gpkg"))

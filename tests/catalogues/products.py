"""Small products that a catalogue can search: metadata only."""

from datetime import timedelta

from pyproj import Transformer


def add_slice(root, start, *, corners="36,-117 36,-115 37,-115 37,-117", datatake=1, unlike_its_name=timedelta(0)):
    """A slice's SAFE folder under `root`; returns the product's name."""
    stop = start + timedelta(seconds=27)
    name = f"S1A_IW_SLC__1SDV_{start:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}_050543_{datatake:06X}_DFFF"
    start, stop = start + unlike_its_name, stop + unlike_its_name
    folder = root / f"{name}.SAFE"
    folder.mkdir(parents=True)
    (folder / "manifest.safe").write_text(
        f"""<X xmlns:safe="urn:safe"><safe:startTime>{start:%Y-%m-%dT%H:%M:%S.%f}</safe:startTime>
        <safe:stopTime>{stop:%Y-%m-%dT%H:%M:%S.%f}</safe:stopTime><safe:relativeOrbitNumber>71</safe:relativeOrbitNumber>
        <safe:pass>DESCENDING</safe:pass><safe:missionDataTakeID>{datatake}</safe:missionDataTakeID>
        <safe:transmitterReceiverPolarisation>VV</safe:transmitterReceiverPolarisation>
        <safe:transmitterReceiverPolarisation>VH</safe:transmitterReceiverPolarisation>
        <safe:coordinates>{corners}</safe:coordinates></X>"""
    )
    return name


def add_granule(root, start, *, mgrs="11SNB", epsg=32611, ulx=499980, uly=4200000, cloud=3.5):
    """A granule's SAFE folder under `root`; returns the product's name."""
    name = f"S2B_MSIL2A_{start:%Y%m%dT%H%M%S}_N0509_R127_T{mgrs}_{start:%Y%m%dT%H%M%S}"
    tile = root / f"{name}.SAFE/GRANULE/L2A_T{mgrs}"
    tile.mkdir(parents=True)
    (root / f"{name}.SAFE/MTD_MSIL2A.xml").write_text(
        f"<P><Cloud_Coverage_Assessment>{cloud}</Cloud_Coverage_Assessment></P>"
    )
    grids = "".join(
        f'<Size resolution="{r}"><NROWS>{109800 // r}</NROWS><NCOLS>{109800 // r}</NCOLS></Size>'
        f'<Geoposition resolution="{r}"><ULX>{ulx}</ULX><ULY>{uly}</ULY><XDIM>{r}</XDIM><YDIM>-{r}</YDIM></Geoposition>'
        for r in (10, 20, 60)
    )
    (tile / "MTD_TL.xml").write_text(f"<T><HORIZONTAL_CS_CODE>EPSG:{epsg}</HORIZONTAL_CS_CODE>{grids}</T>")
    return name


def lonlat(epsg, easting, northing):
    return Transformer.from_crs(epsg, 4326, always_xy=True).transform(easting, northing)

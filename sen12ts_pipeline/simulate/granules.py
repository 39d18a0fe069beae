"""Sentinel-2 L2A SAFE folders: images as lossless JPEG 2000, and the metadata that readers use."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

from sen12ts_pipeline.domain.lattice import to_geographic
from sen12ts_pipeline.quiet import ignored
from sen12ts_pipeline.simulate.landcover import LandCover
from sen12ts_pipeline.simulate.optical import BANDS, OFFSET, Frame, Granule, mgrs, sensed
from sen12ts_pipeline.simulate.place import Place
from sen12ts_pipeline.simulate.xmltree import Node, document, node

_ORBITS = (94, 137, 37, 51)
_COARSE = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B09", "B11", "B12")
_BAND_IDS = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")


@dataclass(frozen=True, slots=True)
class Names:
    """Names and times of one granule's product."""

    mission: str
    tile: str
    start: datetime
    made: datetime
    baseline: str
    orbit: int
    absolute_orbit: int

    @classmethod
    def of(cls, place: Place, index: int) -> Names:
        """Names of a place's scene."""
        scene, start = place.scenes[index], sensed(place, index)
        return cls(
            scene.mission,
            mgrs(place),
            start,
            start + timedelta(hours=5, minutes=7),
            scene.baseline,
            _ORBITS[index % len(_ORBITS)],
            30_000 + 143 * index,
        )

    @property
    def product(self) -> str:
        """Name of the product without ``.SAFE``."""
        return (
            f"{self.mission}_MSIL2A_{self.start:%Y%m%dT%H%M%S}_N{self.baseline}_R{self.orbit:03d}"
            f"_T{self.tile}_{self.made:%Y%m%dT%H%M%S}"
        )

    @property
    def sensing(self) -> datetime:
        """When the tile was seen, after the datatake's start."""
        return self.start + timedelta(minutes=4, seconds=11)

    @property
    def granule(self) -> str:
        """Folder of the granule."""
        return f"L2A_T{self.tile}_A{self.absolute_orbit:06d}_{self.start + timedelta(seconds=3):%Y%m%dT%H%M%S}"

    @property
    def version(self) -> str:
        """Baseline with a point: ``05.09``."""
        return f"{self.baseline[:2]}.{self.baseline[2:]}"

    @property
    def datastrip_id(self) -> str:
        """Identity of the datastrip."""
        seen = f"{self.start + timedelta(seconds=3):%Y%m%dT%H%M%S}"
        return f"{self.mission}_OPER_MSI_L2A_DS_2APS_{self.made:%Y%m%dT%H%M%S}_S{seen}_N{self.version}"

    @property
    def tile_id(self) -> str:
        """Identity of the granule."""
        made = f"{self.made:%Y%m%dT%H%M%S}"
        return f"{self.mission}_OPER_MSI_L2A_TL_2APS_{made}_A{self.absolute_orbit:06d}_T{self.tile}_N{self.version}"

    def image(self, band: str, resolution: int) -> str:
        """Path of an image inside the product, without its ending."""
        name = f"T{self.tile}_{self.start:%Y%m%dT%H%M%S}_{band}_{resolution}m"
        return f"GRANULE/{self.granule}/IMG_DATA/R{resolution}m/{name}"


def write_granule(place: Place, cover: LandCover, index: int, archive: Path) -> Path:
    """Write the product of a place's scene; returns its folder."""
    granule, names = Granule.of(place, cover, index), Names.of(place, index)
    folder = archive / "Sentinel-2" / "MSI" / "L2A" / f"{names.start:%Y/%m/%d}" / f"{names.product}.SAFE"
    images = _images(granule)
    for (band, resolution), values in images.items():
        path = folder / f"{names.image(band, resolution)}.jp2"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_jp2(path, values, granule.frame, resolution)
    listed = [names.image(band, resolution) for band, resolution in images]
    (folder / "MTD_MSIL2A.xml").write_bytes(document(_product(granule, names, listed)))
    (folder / f"GRANULE/{names.granule}/MTD_TL.xml").write_bytes(document(_tile(granule, names)))
    (folder / "manifest.safe").write_bytes(_manifest(granule, names, folder))
    return folder


def _images(granule: Granule) -> dict[tuple[str, int], npt.NDArray[np.generic]]:
    """All images by band and resolution: native ones, and the coarser copies that products carry."""
    native = {band: granule.stored(band) for band in BANDS}
    out: dict[tuple[str, int], npt.NDArray[np.generic]] = {}
    for band, resolution in BANDS.items():
        out[band, resolution] = native[band]
    for band in ("B02", "B03", "B04"):
        out[band, 20] = _averaged(native[band], 2)
    if granule.offset:
        out["B01", 20] = np.kron(native["B01"], np.ones((3, 3), np.uint16))
    for band in _COARSE:
        out.setdefault((band, 60), _averaged(native[band], 60 // BANDS[band]))
    out["SCL", 20] = granule.classes
    out["SCL", 60] = granule.classes[1::3, 1::3]
    return out


def _averaged(values: npt.NDArray[np.uint16], times: int) -> npt.NDArray[np.uint16]:
    """Mean of blocks, rounded down; 0 where any pixel has no data."""
    side = values.shape[0] // times
    blocks = values.reshape(side, times, side, times).astype(np.uint32)
    mean = blocks.sum(axis=(1, 3)) // (times * times)
    return np.where((blocks == 0).any(axis=(1, 3)), 0, mean).astype(np.uint16)


def write_jp2(path: Path, values: npt.NDArray[np.generic], frame: Frame, resolution: int) -> None:
    """Write one image without loss."""
    with ignored(NotGeoreferencedWarning):  # of a raster in memory, before it gets its place
        file = rasterio.open(
            path,
            "w",
            driver="JP2OpenJPEG",
            width=values.shape[1],
            height=values.shape[0],
            count=1,
            dtype=values.dtype,
            crs=f"EPSG:{frame.epsg}",
            transform=Affine(resolution, 0.0, frame.ulx_m, 0.0, -resolution, frame.uly_m),
            QUALITY="100",
            REVERSIBLE="YES",
            YCBCR420="NO",
        )
    with file:
        file.write(values, 1)


def _zulu(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.024Z")


def _product(granule: Granule, names: Names, images: list[str]) -> Node:
    """MTD_MSIL2A.xml."""
    space = "https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd"
    take = node(
        "Datatake",
        node("SPACECRAFT_NAME", f"Sentinel-{names.mission[1:]}"),
        node("DATATAKE_TYPE", "INS-NOBS"),
        node("DATATAKE_SENSING_START", _zulu(names.start)),
        node("SENSING_ORBIT_NUMBER", names.orbit),
        node("SENSING_ORBIT_DIRECTION", "DESCENDING"),
        datatakeIdentifier=f"G{names.mission}_{names.start:%Y%m%dT%H%M%S}_{names.absolute_orbit:06d}_N{names.version}",
    )
    listed = node(
        "Granule",
        *(node("IMAGE_FILE", path) for path in images),
        datastripIdentifier=names.datastrip_id,
        granuleIdentifier=names.tile_id,
        imageFormat="JPEG2000",
    )
    information = node(
        "Product_Info",
        node("PRODUCT_START_TIME", _zulu(names.start)),
        node("PRODUCT_STOP_TIME", _zulu(names.start)),
        node("PRODUCT_URI", f"{names.product}.SAFE"),
        node("PROCESSING_LEVEL", "Level-2A"),
        node("PRODUCT_TYPE", "S2MSI2A"),
        node("PROCESSING_BASELINE", names.version),
        node("GENERATION_TIME", names.made.strftime("%Y-%m-%dT%H:%M:%S.000000Z")),
        take,
        node("Product_Organisation", node("Granule_List", listed)),
    )
    root = node(f"{{{space}}}Level-2A_User_Product")
    general = node(f"{{{space}}}General_Info", information, _characteristics(granule))
    root.append(general)
    positions = " ".join(f"{lat:.6f} {lon:.6f}" for lon, lat in _outline(granule.frame))
    footprint = node("Global_Footprint", node("EXT_POS_LIST", positions + " "))
    root.append(node(f"{{{space}}}Geometric_Info", node("Product_Footprint", node("Product_Footprint", footprint))))
    cloud = node("Cloud_Coverage_Assessment", f"{granule.cloud_percent:.6f}")
    root.append(node(f"{{{space}}}Quality_Indicators_Info", cloud, _content(granule, "Image_Content_QI")))
    return root


def _characteristics(granule: Granule) -> Node:
    def special(text: str, value: int) -> Node:
        return node("Special_Values", node("SPECIAL_VALUE_TEXT", text), node("SPECIAL_VALUE_INDEX", value))

    quantification = node(
        "QUANTIFICATION_VALUES_LIST",
        node("BOA_QUANTIFICATION_VALUE", 10000, unit="none"),
        node("AOT_QUANTIFICATION_VALUE", "1000.0", unit="none"),
        node("WVP_QUANTIFICATION_VALUE", "1000.0", unit="cm"),
    )
    offsets = (node("BOA_ADD_OFFSET", -OFFSET, band_id=k) for k in range(len(_BAND_IDS)))
    spectral = (node("Spectral_Information", bandId=k, physicalBand=name) for k, name in enumerate(_BAND_IDS))
    return node(
        "Product_Image_Characteristics",
        special("NODATA", 0),
        special("SATURATED", 65535),
        quantification,
        node("BOA_ADD_OFFSET_VALUES_LIST", *offsets) if granule.offset else None,
        node("Spectral_Information_List", *spectral),
    )


def _outline(frame: Frame) -> list[tuple[float, float]]:
    """Corners of a granule in degrees, closed, from the north-west clockwise."""
    size = frame.pixels * 10.0
    corners = ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))
    transformer = to_geographic(frame.epsg)
    return [transformer.transform(frame.ulx_m + i * size, frame.uly_m - j * size) for i, j in corners]


def _content(granule: Granule, tag: str) -> Node:
    """Shares of scene classes, as both metadata files give them."""
    cloud = granule.cloud_percent
    shares = {
        "CLOUDY_PIXEL_PERCENTAGE": cloud,
        "CLOUDY_PIXEL_OVER_LAND_PERCENTAGE": cloud if granule.offset else None,
        "DEGRADED_MSI_DATA_PERCENTAGE": 0.0,
        "NODATA_PIXEL_PERCENTAGE": granule.nodata_percent,
        "SATURATED_DEFECTIVE_PIXEL_PERCENTAGE": 0.0,
        "CLOUD_SHADOW_PERCENTAGE": granule.class_percent(3),
        "VEGETATION_PERCENTAGE": granule.class_percent(4),
        "NOT_VEGETATED_PERCENTAGE": granule.class_percent(5),
        "WATER_PERCENTAGE": granule.class_percent(6),
        "UNCLASSIFIED_PERCENTAGE": 0.0,
        "MEDIUM_PROBA_CLOUDS_PERCENTAGE": granule.class_percent(8),
        "HIGH_PROBA_CLOUDS_PERCENTAGE": granule.class_percent(9),
        "THIN_CIRRUS_PERCENTAGE": granule.class_percent(10),
        "SNOW_ICE_PERCENTAGE": 0.0,
    }
    return node(tag, *(node(k, f"{v:.6f}") for k, v in shares.items() if v is not None))


def _tile(granule: Granule, names: Names) -> Node:
    """MTD_TL.xml."""
    space = "https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-2A_Tile_Metadata.xsd"
    frame = granule.frame
    half = "S" if frame.epsg >= 32700 else "N"
    sizes = (
        node("Size", node("NROWS", frame.size(r)), node("NCOLS", frame.size(r)), resolution=r) for r in (10, 20, 60)
    )
    places = (
        node(
            "Geoposition",
            node("ULX", f"{frame.ulx_m:.0f}"),
            node("ULY", f"{frame.uly_m:.0f}"),
            node("XDIM", r),
            node("YDIM", -r),
            resolution=r,
        )
        for r in (10, 20, 60)
    )
    geocoding = node(
        "Tile_Geocoding",
        node("HORIZONTAL_CS_NAME", f"WGS84 / UTM zone {frame.epsg % 100:02d}{half}"),
        node("HORIZONTAL_CS_CODE", f"EPSG:{frame.epsg}"),
        *sizes,
        *places,
        metadataLevel="Brief",
    )
    root = node(f"{{{space}}}Level-2A_Tile_ID")
    root.append(
        node(
            f"{{{space}}}General_Info",
            node("TILE_ID", names.tile_id, metadataLevel="Brief"),
            node("DATASTRIP_ID", names.datastrip_id, metadataLevel="Standard"),
            node("DOWNLINK_PRIORITY", "NOMINAL", metadataLevel="Standard"),
            node("SENSING_TIME", names.sensing.strftime("%Y-%m-%dT%H:%M:%S.463757Z"), metadataLevel="Standard"),
        )
    )
    root.append(node(f"{{{space}}}Geometric_Info", geocoding))
    quality = node(f"{{{space}}}Quality_Indicators_Info", _content(granule, "Image_Content_QI"))
    root.append(quality)
    return root


def _manifest(granule: Granule, names: Names, folder: Path) -> bytes:
    corners = " ".join(f"{lat:.6f} {lon:.6f}" for lon, lat in _outline(granule.frame))
    objects = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "manifest.safe"):
        body, inside = path.read_bytes(), path.relative_to(folder).as_posix()
        mime = "application/octet-stream" if path.suffix == ".jp2" else "text/xml"
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        objects.append(
            f'<dataObject ID="{path.stem}"><byteStream mimeType="{mime}" size="{len(body)}">'
            f'<fileLocation href="./{inside}" locatorType="URL"/><checksum checksumName="MD5">{digest}</checksum>'
            "</byteStream></dataObject>\n"
        )
    text = (
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
        '<xfdu:XFDU xmlns:gml="http://www.opengis.net/gml" xmlns:safe="http://www.esa.int/safe/sentinel/1.1" '
        'xmlns:xfdu="urn:ccsds:schema:xfdu:1" '
        'version="esa/safe/sentinel/1.1/sentinel-2/msi/archive_l2a_user_product">\n'
        "<informationPackageMap/>\n<metadataSection>\n"
        '<metadataObject ID="acquisitionPeriod" classification="DESCRIPTION" category="DMD"><metadataWrap '
        'mimeType="text/xml" vocabularyName="SAFE" textInfo="Acquisition Period"><xmlData><safe:acquisitionPeriod>'
        f"<safe:startTime>{_zulu(names.start)}</safe:startTime></safe:acquisitionPeriod></xmlData></metadataWrap>"
        "</metadataObject>\n"
        '<metadataObject ID="measurementFrameSet" classification="DESCRIPTION" category="DMD"><metadataWrap '
        'mimeType="text/xml" vocabularyName="SAFE" textInfo="Frame Set"><xmlData><safe:frameSet>'
        '<safe:footPrint srsName="http://www.opengis.net/gml/srs/epsg.xml#4326">'
        f"<gml:coordinates>{corners}</gml:coordinates></safe:footPrint></safe:frameSet></xmlData></metadataWrap>"
        f"</metadataObject>\n</metadataSection>\n<dataObjectSection>\n{''.join(objects)}</dataObjectSection>\n"
        "</xfdu:XFDU>\n"
    )
    return text.encode()

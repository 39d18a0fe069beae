"""Part of the stand-in gpt: BEAM-DIMAP, written and read back.

In radar geometry an image is written as one block of lines after the other; what is needed to take it up again lies in
the metadata, as JSON.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lxml import etree
from pyproj import CRS

_TYPES = {"f4": ("float32", 4), "i2": ("int16", 2), "i1": ("int8", 1)}


@dataclass(frozen=True)
class Kept:
    """A product read back: what the stand-in noted, and its images."""

    file: Path
    about: dict

    def image(self, name):
        return np.fromfile(self.file.with_suffix(".data") / f"{name}.img", ">f4").astype(np.float32)


def read(file):
    root = etree.parse(str(file)).getroot()
    return Kept(file, json.loads(root.findtext("Dataset_Sources/MDElem/MDATTR[@name='standin']")))


def images_of(product):
    """Every band that is written, by name, as a raster (rows, cols)."""
    for band in product.bands:
        if not band.virtual:
            swaths = [s.swath for s in product.strips]
            image = band.values(swaths[0])
            yield band, image.reshape(-1, image.shape[-1])


def write(product, file, images):
    """Write a product; `images` as `images_of` gives them, some of them changed or left out."""
    if product.grid is None and len(product.strips) > 1:
        raise ValueError("the stand-in writes one subswath, or a map")
    folder = file.with_suffix(".data")
    folder.mkdir(parents=True)
    written = [(band, *_write_image(product, folder, band, image)) for band, image in images]
    file.write_bytes(header(product, file, written))


def _write_image(product, folder, band, image):
    kind = "i1" if image.dtype == np.int8 else "f4"
    image.astype(f">{kind}").tofile(folder / f"{band.name}.img")
    (folder / f"{band.name}.hdr").write_text(_envi(product, band, image.shape, kind))
    return image.shape, kind


def _envi(product, band, shape, kind):
    lines = [
        "ENVI",
        f"description = {{Sentinel-1 IW SLC - Unit: {band.unit}}}",
        f"samples = {shape[1]}",
        f"lines = {shape[0]}",
        "bands = 1",
        "header offset = 0",
        "file type = ENVI Standard",
        f"data type = {4 if kind == 'f4' else 1}",
        "interleave = bsq",
        "byte order = 1",
    ]
    if product.grid is not None:
        grid, zone = product.grid, product.grid.epsg % 100
        place = (
            f"UTM,1.0,1.0,{grid.west},{grid.north},{grid.spacing_m},{grid.spacing_m},{zone},North,WGS-84,units=Meters"
        )
        lines.append(f"map info = {{{place}}}")
    return "\n".join([*lines, f"band names = {{ {band.name} }}", ""])


def header(product, file, written):
    root = etree.Element("Dimap_Document", name=file.name)
    etree.SubElement(etree.SubElement(root, "Metadata_Id"), "METADATA_FORMAT", version="2.12.1").text = "DIMAP"
    _add(etree.SubElement(root, "Production"), DATASET_PRODUCER_NAME="", PRODUCT_TYPE="SLC")
    if product.grid is not None:
        grid = product.grid
        _add(etree.SubElement(root, "Coordinate_Reference_System"), WKT=CRS.from_epsg(grid.epsg).to_wkt("WKT1_GDAL"))
        text = f"{grid.spacing_m},0.0,0.0,{-grid.spacing_m},{grid.west},{grid.north}"
        _add(etree.SubElement(root, "Geoposition"), IMAGE_TO_MODEL_TRANSFORM=text)
    rows, cols = written[0][1] if written else (0, 0)
    _add(etree.SubElement(root, "Raster_Dimensions"), NCOLS=cols, NROWS=rows, NBANDS=len(written))
    access = etree.SubElement(root, "Data_Access")
    _add(
        access,
        DATA_FILE_FORMAT="ENVI",
        DATA_FILE_FORMAT_DESC="ENVI File Format",
        DATA_FILE_ORGANISATION="BAND_SEPARATE",
    )
    for index, (band, _, _) in enumerate(written):
        data_file = etree.SubElement(access, "Data_File")
        etree.SubElement(data_file, "DATA_FILE_PATH", href=f"{file.stem}.data/{band.name}.hdr")
        _add(data_file, BAND_INDEX=index)
    bands = etree.SubElement(root, "Image_Interpretation")
    for index, (band, _, kind) in enumerate(written):
        about = etree.SubElement(bands, "Spectral_Band_Info")
        _add(about, BAND_INDEX=index, BAND_NAME=band.name, DATA_TYPE=_TYPES[kind][0], PHYSICAL_UNIT=band.unit)
        _add(about, SCALING_FACTOR=1.0, SCALING_OFFSET=0.0, NO_DATA_VALUE_USED="true", NO_DATA_VALUE=0.0)
    for index, band in enumerate((b for b in product.bands if b.virtual), start=len(written)):
        about = etree.SubElement(bands, "Spectral_Band_Info")
        _add(about, BAND_INDEX=index, BAND_NAME=band.name, DATA_TYPE="float32", VIRTUAL_BAND="true", EXPRESSION="...")
    _sources(root, product, written)
    etree.indent(root)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _sources(root, product, written):
    metadata = etree.SubElement(etree.SubElement(root, "Dataset_Sources"), "MDElem", name="metadata")
    shapes = {s.swath: product.bands[0].values(s.swath).shape for s in product.strips} if product.grid is None else {}
    about = {
        "place": str(product.scene.folder),
        "safes": product.safes,
        "strips": [dataclasses.asdict(s) for s in product.strips],
        "others": [dataclasses.asdict(s) for s in product.others],
        "steps": product.steps,
        "shapes": shapes,
        "bands": [(band.name, band.unit) for band, _, _ in written],
        "virtual": [band.name for band in product.bands if band.virtual],
        "notes": product.notes,
    }
    etree.SubElement(metadata, "MDATTR", name="standin", type="ascii").text = json.dumps(about)
    for name, notes in (("Abstracted_Metadata", product.notes), ("Slave_Metadata", product.notes.get("secondary", {}))):
        element = etree.SubElement(metadata, "MDElem", name=name)
        for key, text in notes.items():
            if isinstance(text, str):
                etree.SubElement(element, "MDATTR", name=key, type="ascii").text = text


def _add(parent, **texts):
    for name, text in texts.items():
        etree.SubElement(parent, name).text = str(text)

"""Part of the stand-in gpt: which bands every operator takes and leaves, and where their values come from.

Names as SNAP makes them (toolbox 13.0.4, and 14.0.0 where it differs); values by `standin_slant`, made when a Write
node asks for them. What SNAP refuses is refused with its words.
"""

import dataclasses
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np

from tests.sar.snap import standin_dimap, standin_slant
from tests.sar.snap.standin_slant import Scene, SeenDem, Strip

POLARISATION = re.compile(r"(?:^|_)(VV|VH|HH|HV)(?:_|$)")
EXTERNAL = "External DEM"


class Refused(Exception):
    """What SNAP ends with status 1 for."""


@dataclass(frozen=True)
class Band:
    """A band; `values` gives its image by subswath."""

    name: str
    unit: str
    values: Callable
    virtual: bool = False

    @property
    def polarisation(self):
        found = POLARISATION.search(self.name)
        return found[1] if found else None


@dataclass(frozen=True)
class Product:
    """What flows between operators.

    Attributes
    ----------
    name : str
        As SNAP makes it.
    bands : tuple of Band
        In order.
    scene : Scene
        Place and passes.
    safes : tuple of str
        SAFE folders: of the reference, then of the secondary.
    strips : tuple of Strip
        Image geometry, one a subswath, of the reference.
    others : tuple of Strip
        Of the secondary, before it was resampled.
    steps : tuple of str
        Operators that have worked on it.
    bounds : tuple or None
        West, south, east, north in map metres to which the product was cut.
    grid : Grid or None
        Once it lies on the map.
    notes : dict
        More of the metadata: the orbit file applied.
    """

    name: str
    bands: tuple
    scene: Scene
    safes: tuple
    strips: tuple
    others: tuple = ()
    steps: tuple = ()
    bounds: tuple | None = None
    grid: object = None
    notes: dict = field(default_factory=dict)

    def but(self, suffix, step, **changes):
        return dataclasses.replace(self, name=f"{self.name}{suffix}", steps=(*self.steps, step), **changes)

    def strip(self, swath):
        return next(s for s in self.strips if s.swath == swath)


@dataclass(frozen=True)
class Context:
    """What operators know of the run: release of the toolbox, user folder, and a place to say something."""

    release: tuple
    userdir: Path
    say: Callable

    @property
    def roles(self):
        return ("mst", "slv1") if self.release < (14,) else ("ref", "sec1")

    @property
    def flattened_suffix(self):
        return "_TF" if self.release < (13, 0, 2) else "_RTC"


def lazily(make):
    """Values made once a subswath."""
    return functools.cache(make)


def truth(parameters, name, default=False):
    return parameters.get(name, str(default).lower()) == "true"


def listed(parameters, name):
    return [text for text in parameters.get(name, "").split(",") if text]


def chosen(product, parameters):
    """Bands that ``sourceBands`` lists, all that are not virtual without it; a wrong name is refused."""
    names = listed(parameters, "sourceBands")
    known = {band.name: band for band in product.bands}
    for name in names:
        if name not in known:
            raise Refused(f"Value for 'Source Bands' is invalid: '{name}'")
    return [known[name] for name in names] if names else [band for band in product.bands if not band.virtual]


def of_polarisations(product, parameters):
    """Bands of the polarisations listed; one that matches nothing drops all without a word."""
    wanted = listed(parameters, "selectedPolarisations")
    return [b for b in product.bands if not wanted or b.polarisation in wanted]


def dem_of(parameters, apply_geoid):
    if parameters.get("demName") != EXTERNAL or not parameters.get("externalDEMFile"):
        raise Refused(f"no network: {parameters.get('demName')} cannot be fetched")
    if not Path(parameters["externalDEMFile"]).is_file():
        raise Refused(f"Unable to get elevation model: {parameters['externalDEMFile']}")
    return SeenDem(Path(parameters["externalDEMFile"]), float(parameters["externalDEMNoDataValue"]), apply_geoid)


def read(parameters, sources, context):
    file = Path(parameters["file"])
    if not file.exists():
        raise Refused(f"'{file}' does not exist")
    if parameters.get("formatName") == "BEAM-DIMAP" or file.suffix == ".dim":
        return read_dimap(file)
    return read_safe(file.parent if file.name == "manifest.safe" else file)


def read_safe(safe):
    place = next((p for p in safe.parents if (p / "truth.json").exists()), None)
    if place is None:
        raise Refused(f"the stand-in reads simulated archives only: {safe}")
    scene = Scene(place)
    day = re.search(r"_(\d{8})T", safe.name)[1]
    date = next(k for k, d in enumerate(scene.place.dates) if f"{d:%Y%m%d}" == day)
    bands, strips = [], []
    for number in sorted(s.design.number for s in scene.world.passes[date].swaths):
        strip = Strip(date, number, scene.bursts_of(safe, date, number))
        there = [pol for pol in ("VH", "VV") if list(safe.glob(f"measurement/*-iw{number}-slc-{pol.lower()}-*.tiff"))]
        if not there:
            continue
        strips.append(strip)
        for pol in there:
            bands += complex_pair(f"IW{number}_{pol}", functools.partial(_samples, scene, str(safe), strip, pol))
    return Product(safe.stem, tuple(bands), scene, (str(safe),), tuple(strips))


def _samples(scene, safe, strip, pol, _):
    return scene.samples(safe, strip, pol)


def complex_pair(tail, image_of):
    """i, q and the virtual power of complex images by subswath."""
    image = lazily(image_of)
    i = Band(f"i_{tail}", "real", lambda swath: image(swath).real)
    q = Band(f"q_{tail}", "imaginary", lambda swath: image(swath).imag)
    return [i, q, _virtual(f"Intensity_{tail}", [i, q])]


def read_dimap(file):
    kept = standin_dimap.read(file)
    about = kept.about
    strips, others = (tuple(Strip(**_tuples(s)) for s in about[key]) for key in ("strips", "others"))
    shapes = about["shapes"]

    def values(swath, name):
        return kept.image(name).reshape(shapes[str(swath)])

    bands = tuple(Band(name, unit, functools.partial(values, name=name)) for name, unit in about["bands"])
    virtual = tuple(_virtual(name, bands) for name in about["virtual"])
    return Product(
        file.stem,
        (*bands, *virtual),
        Scene(Path(about["place"])),
        tuple(about["safes"]),
        strips,
        others,
        tuple(about["steps"]),
        notes=about["notes"],
    )


def _tuples(values):
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def _virtual(name, bands):
    tail = name.removeprefix("Intensity_").removeprefix("Phase_")
    i, q = (next(b for b in bands if b.name == f"{part}_{tail}") for part in "iq")
    if name.startswith("Phase"):
        return Band(name, "phase", lambda s: np.arctan2(q.values(s), i.values(s)), virtual=True)
    return Band(name, "intensity", lambda s: i.values(s) ** 2 + q.values(s) ** 2, virtual=True)


def assemble(parameters, sources, context):
    if len(sources) < 2:
        raise Refused("SliceAssembly requires at least two consecutive slice products")
    raise Refused("the stand-in computes nothing of several slices")


def apply_orbit(parameters, sources, context):
    (product,) = sources
    kind = "POEORB" if parameters["orbitType"].startswith("Sentinel Precise") else "RESORB"
    acquisition = product.scene.world.passes[product.strips[0].date]
    start = acquisition.utc(acquisition.imaged.bursts[0].start_s)
    vector = start - timedelta(seconds=68)  # the first state vector of the annotation tells the folder
    for tried in (kind, "RESORB"):
        folder = context.userdir / "auxdata/Orbits/Sentinel-1" / tried / "S1A" / f"{vector:%Y}" / f"{vector:%m}"
        for file in sorted(folder.glob(f"S1A_OPER_AUX_{tried}_OPOD_*")):
            first, last = re.findall(r"\d{8}T\d{6}", file.name)[1:3]
            if first <= f"{start:%Y%m%dT%H%M%S}" <= last:
                if tried != kind:
                    context.say(f"WARNING: {kind} not found, using {tried}")
                note = {"orbit_state_vector_file": f"{parameters['orbitType'].split(' (')[0]}  {file.name}"}
                return product.but("_Orb", "orbit", notes={**product.notes, **note})
    if truth(parameters, "continueOnFail"):
        context.say("SEVERE: ignoring error: no orbit file found")
        return product.but("_Orb", "orbit", notes={**product.notes, "orbit_state_vector_file": "-"})
    raise Refused(f"No valid orbit file found for {start:%d-%b-%Y %H:%M:%S}. Orbit files may be downloaded")


def split(parameters, sources, context):
    (product,) = sources
    swaths = {s.swath for s in product.strips}
    if not {1, 2} <= swaths and not truth(parameters, "enableSingleSwathMode"):
        raise Refused("Source product should be a multi sub-swath TOPSAR product")
    number = int(parameters.get("subswath", "IW1")[-1])
    if number not in swaths:
        raise Refused(f"Index -1 out of bounds for length {len(swaths)}")
    first, last = int(parameters["firstBurstIndex"]), int(parameters["lastBurstIndex"])
    strip = product.strip(number)
    last = min(last, len(strip.bursts))
    if first > last:
        raise Refused("The pixel region of the subset is invalid")
    bands = [b for b in product.bands if f"_IW{number}_" in b.name]
    wanted = listed(parameters, "selectedPolarisations")
    kept = [b for b in bands if b.polarisation in wanted] or bands
    part = dataclasses.replace(strip, bursts=strip.bursts[first - 1 : last])
    kept = [dataclasses.replace(b, values=lazily(_cut(b, first - 1, last))) for b in kept]
    return product.but("", "split", bands=tuple(kept), strips=(part,))


def _cut(band, first, last):
    return lambda swath: band.values(swath)[first:last]


def remove_noise(parameters, sources, context):
    (product,) = sources
    if "noise" in product.steps:
        raise Refused("Thermal noise correction has already been performed for the product")
    keep_negative = context.release >= (14,) and not truth(parameters, "clipNegativeValues", default=True)
    bands = []
    for band in of_polarisations(product, parameters):
        if band.unit != "real":
            continue
        tail = band.name.removeprefix("i_")
        bands.append(Band(f"Intensity_{tail}", "intensity", lazily(_denoised(product, tail, band, keep_negative))))
    return product.but("_NR", "noise", bands=tuple(bands))


def _denoised(product, tail, real, keep_negative):
    imaginary = next(b for b in product.bands if b.name == f"q_{tail}")

    def values(swath):
        power = real.values(swath) ** 2 + imaginary.values(swath) ** 2
        left = power - product.scene.noise(product.strip(swath), real.polarisation)
        left = left if keep_negative else np.maximum(left, standin_slant.FLOOR)
        return np.where(power > 0, left, 0).astype(np.float32)

    return values


def calibrate(parameters, sources, context):
    (product,) = sources
    if "back-geocoding" in product.steps:
        raise Refused("Cannot apply calibration to coregistered product")
    if "deburst" in product.steps and any(b.unit == "real" for b in product.bands):
        raise Refused("Calibration should be applied before deburst")
    switches = {"Sigma0": "outputSigmaBand", "Gamma0": "outputGammaBand", "Beta0": "outputBetaBand"}
    wanted = [name for name, switch in switches.items() if truth(parameters, switch, default=name == "Sigma0")]
    lift = context.release < (14,)
    bands = []
    for band in (b for b in of_polarisations(product, parameters) if b.unit == "intensity"):
        for name in wanted or ["Sigma0"]:
            tail = band.name.removeprefix("Intensity_")
            bands.append(Band(f"{name}_{tail}", "intensity", lazily(_calibrated(product, band, name, lift))))
    return product.but("_Cal", "calibration", bands=tuple(bands))


def _calibrated(product, band, name, lift):
    def values(swath):
        power = band.values(swath)
        beta = standin_slant.beta_nought(power)
        angle = product.scene.ellipsoid_incidence(product.strip(swath), beta.shape[-1])
        out = beta * {"Beta0": 1.0, "Sigma0": np.sin(angle), "Gamma0": np.tan(angle)}[name]
        return np.where(power != 0, np.maximum(out, standin_slant.FLOOR) if lift else out, 0).astype(np.float32)

    return values


def deburst(parameters, sources, context):
    (product,) = sources
    if len(product.strips) > 1:
        raise Refused("the stand-in joins the bursts of split products only")
    bands = tuple(
        dataclasses.replace(band, values=lazily(_joined(product, band)))
        for band in of_polarisations(product, parameters)
    )
    strips = tuple(dataclasses.replace(s, joined=True) for s in product.strips)
    return product.but("_Deb", "deburst", bands=bands, strips=strips)


def _joined(product, band):
    return lambda swath: product.scene.joined(product.strip(swath), band.values(swath))


def merge(parameters, sources, context):
    if len(sources) < 2:
        raise Refused("TOPSAR-Merge requires at least two sub-swaths")
    numbers = sorted(p.strips[0].swath for p in sources)
    if numbers != list(range(numbers[0], numbers[-1] + 1)):
        raise Refused("The source products must be of neighbouring sub-swaths")
    if any("deburst" not in p.steps for p in sources):
        raise Refused("Source product should first be deburst")
    if len({len(p.bands) for p in sources}) != 1:
        raise Refused("Source products do not have the same number of bands")
    by_swath = {p.strips[0].swath: p for p in sources}
    bands = []
    for position, band in enumerate(sources[0].bands):
        name = re.sub(r"_IW\d", "", band.name)
        bands.append(dataclasses.replace(band, name=name, values=lazily(_merged(by_swath, position))))
    strips = tuple(by_swath[n].strips[0] for n in numbers)
    return sources[0].but("_mrg", "merge", bands=tuple(bands), strips=strips)


def _merged(by_swath, position):
    return lambda swath: by_swath[swath].bands[position].values(swath)


def multilook(parameters, sources, context):
    (product,) = sources
    if "deburst" not in product.steps:
        raise Refused("Source product should first be deburst")
    bands = chosen(product, parameters)
    down, across = int(parameters["nAzLooks"]), int(parameters["nRgLooks"])
    if truth(parameters, "grSquarePixel", default=True):
        down = max(1, round(across * 2.33 / 0.6 / 13.9))
    if truth(parameters, "outputIntensity"):
        bands = [_virtual(f"Intensity_{b.name[2:]}", bands) for b in bands if b.unit == "real"] + [
            b for b in bands if b.unit not in ("real", "imaginary")
        ]
    made = tuple(
        dataclasses.replace(b, virtual=False, values=lazily(_looked(product, b, (down, across)))) for b in bands
    )
    strips = tuple(dataclasses.replace(s, looks=(down, across)) for s in product.strips)
    return product.but("_ML", "multilook", bands=made, strips=strips)


def _looked(product, band, looks):
    return lambda swath: standin_slant.multilooked(band.values(swath), looks)


def subset(parameters, sources, context):
    (product,) = sources
    if "split" in product.steps and "deburst" not in product.steps:
        raise Refused("Source product should first be deburst")
    bounds = product.bounds
    if region := parameters.get("geoRegion"):
        bounds = standin_slant.region_bounds(product.scene.epsg, region)
    bands = tuple(chosen(product, parameters)) if listed(parameters, "sourceBands") else product.bands
    made = product.but("", "subset", bands=bands, bounds=bounds)
    return dataclasses.replace(made, name=f"Subset_{product.name}")


def flatten(parameters, sources, context):
    (product,) = sources
    dem = dem_of(parameters, truth(parameters, "externalDEMApplyEGM"))
    bands = chosen(product, parameters)
    if not any(b.name.startswith("Beta0") for b in bands):
        raise Refused("TerrainFlattening requires beta0 or T3, C3, C2 as input")
    factor = lazily(lambda swath: _on_image(product, bands[0], swath, dem, lambda t, g, d: t.factor(g, d)))
    incidence = lazily(lambda swath: _on_image(product, bands[0], swath, dem, lambda t, g, d: t.incidence(g, d)))
    made = []
    for pol in ("VV", "VH"):
        for band in (b for b in bands if b.polarisation == pol):
            tail = band.name.removeprefix("Beta0_")
            gamma = lazily(_times(band, factor))
            made.append(Band(f"Gamma0_{tail}", "intensity", gamma))
            if truth(parameters, "outputSigma0"):
                cosine = lazily(lambda swath: np.cos(np.radians(incidence(swath))))
                made.append(Band(f"Sigma0_{tail}", "intensity", lazily(_times(made[-1], cosine))))
    if truth(parameters, "outputSimulatedImage"):
        made.append(Band("simulatedImage", "amplitude", lazily(lambda swath: _inverse(factor(swath)))))
    return product.but(context.flattened_suffix, "flattening", bands=tuple(made))


def _on_image(product, band, swath, dem, layer):
    strip = product.strip(swath)
    return product.scene.on_image(lambda t, grid: layer(t, grid, strip.date), strip, band.values(swath), dem)


def _inverse(factor):
    return np.divide(1, factor, out=np.zeros_like(factor), where=factor > 0)


def _times(band, factor):
    return lambda swath: band.values(swath) * factor(swath)


def back_geocode(parameters, sources, context):
    if len(sources) != 2 or any(len(p.strips) != 1 for p in sources):
        raise Refused("Please select two split source products")
    reference, secondary = sources
    strip, other = reference.strips[0], secondary.strips[0]
    if strip.swath != other.swath:
        raise Refused("Same sub-swath is expected")
    dem = dem_of(parameters, apply_geoid=True)
    scene, safes = reference.scene, (*reference.safes, *secondary.safes)
    if all(partner is None for partner in scene.partners(strip, other)):
        context.say("SEVERE: bursts of the products do not match")
    bands = []
    for pol in dict.fromkeys(b.polarisation for b in reference.bands):
        first = functools.partial(_samples, scene, safes[0], strip, pol)
        second = functools.partial(_coregistered, scene, safes, strip, other, pol, dem)
        for role, product, image in zip(context.roles, sources, (first, second), strict=True):
            bands += complex_pair(f"IW{strip.swath}_{pol}_{role}_{day_of(product)}", image)
    notes = {**reference.notes, "days": [day_of(p) for p in sources], "secondary": secondary.notes}
    return reference.but("_Stack", "back-geocoding", bands=tuple(bands), safes=safes, others=(other,), notes=notes)


def _coregistered(scene, safes, strip, other, pol, dem, _):
    return scene.coregistered(safes, strip, other, pol, dem)


def day_of(product):
    """``ddMMMyyyy`` of the first line of a split product."""
    strip = product.strips[0]
    acquisition = product.scene.world.passes[strip.date]
    when = acquisition.utc(product.scene.swath(strip).bursts[strip.bursts[0]].start_s)
    return f"{when.day:02d}{when:%b}{when.year}"


def diversity(parameters, sources, context):
    (product,) = sources
    if "back-geocoding" not in product.steps:
        raise Refused("Product must be coregistered")
    if len(product.strips[0].bursts) < 2:
        raise Refused("0")
    folder = context.userdir / "var/log"
    folder.mkdir(parents=True, exist_ok=True)
    for axis in ("azimuth", "range"):
        (folder / f"IW{product.strips[0].swath}_{axis}_shifts.json").write_text("{}")
    return product.but("_ESD", "diversity")


def interfere(parameters, sources, context):
    (product,) = sources
    if "back-geocoding" not in product.steps:
        raise Refused("Product must be coregistered (missing Slave_Metadata)")
    dem = dem_of(parameters, truth(parameters, "externalDEMApplyEGM", default=True))
    modelled = truth(parameters, "subtractFlatEarthPhase", True), truth(parameters, "subtractTopographicPhase")
    if modelled[0] != modelled[1]:
        raise Refused("the stand-in removes flat earth and terrain together or not at all")
    bands = []
    for real in (b for b in product.bands if b.unit == "real" and f"_{context.roles[0]}_" in b.name):
        pol, swath = real.polarisation, product.strips[0].swath
        tail = f"IW{swath}_{pol}_{'_'.join(product.notes['days'])}"
        image = lazily(_interferogram(product, context, pol, dem if modelled[0] else None))
        i, q, power = complex_pair(f"ifg_{tail}", image)
        bands += [i, q, power, _virtual(f"Phase_ifg_{tail}", [i, q])]
        if truth(parameters, "includeCoherence", default=True):
            size = int(parameters["cohWinAz"]), int(parameters["cohWinRg"])
            bands.append(Band(f"coh_{tail}", "coherence", lazily(_coherence(product, context, pol, image, size))))
    return product.but("_Ifg", "interferogram", bands=tuple(bands))


def _dates(product, context, pol, swath):
    """Complex images of the reference and of the secondary."""
    for role, day in zip(context.roles, product.notes["days"], strict=True):
        i, q = (
            next(b for b in product.bands if b.name == f"{part}_IW{swath}_{pol}_{role}_{day}").values(swath)
            for part in "iq"
        )
        yield i + 1j * q


def _interferogram(product, context, pol, dem):
    def values(swath):
        reference, secondary = _dates(product, context, pol, swath)
        out = reference * np.conj(secondary)
        strip = product.strip(swath)
        for k in range(len(out)):
            if dem is not None and out[k].any():
                model = product.scene.model(strip, product.others[0].date, reference[k], dem, k)
                out[k] *= np.exp(-1j * model)
        return out.astype(np.complex64)

    return values


def _coherence(product, context, pol, image, size):
    def values(swath):
        first, second = _dates(product, context, pol, swath)
        cross = image(swath)
        out = np.zeros(cross.shape, np.float32)
        for k in range(len(out)):
            z, a, b = (standin_slant.boxcar(v[k], *size) for v in (cross, np.abs(first) ** 2, np.abs(second) ** 2))
            power = np.maximum(a * b, 0)
            out[k] = np.divide(np.abs(z), np.sqrt(power), out=np.zeros(z.shape), where=power > 0)
        return out

    return values


def correct(parameters, sources, context):
    (product,) = sources
    if product.grid is not None:
        raise Refused("Source product should not be map projected")
    if not truth(parameters, "saveSelectedSourceBand", default=True):
        raise Refused("Please select output band for terrain corrected image")
    if "split" in product.steps and "deburst" not in product.steps:
        raise Refused("Source product should first be deburst")
    dem = dem_of(parameters, truth(parameters, "externalDEMApplyEGM", default=True))
    bands = chosen(product, parameters)
    if not truth(parameters, "outputComplex") and any(b.unit == "real" for b in bands):
        bands = [_virtual(f"Intensity_{b.name[2:]}", bands) for b in bands if b.unit == "real"] + [
            b for b in bands if b.unit not in ("real", "imaginary")
        ]
    epsg = parameters["mapProjection"].removeprefix("EPSG:")
    if epsg != str(product.scene.epsg):
        raise Refused(f"the stand-in projects to EPSG:{product.scene.epsg} only, not to {epsg}")
    grid = lattice(product, bands, parameters, dem)
    first = next((b.polarisation for b in product.bands if b.polarisation), "VV")
    made = [
        Band(b.name if b.polarisation else f"{b.name}_{first}", b.unit, lazily(_geocoded(product, b, grid, dem)))
        for b in bands
    ]
    return product.but("_TC", "correction", bands=(*made, *extras(product, parameters, grid, dem)), grid=grid)


def lattice(product, bands, parameters, dem):
    """Where Terrain-Correction puts its pixels: their centres lie at origin + n * spacing."""
    corners = [np.empty(0), np.empty(0)]
    for strip in product.strips:
        image = bands[0].values(strip.swath)
        if image.any():
            top, bottom, left, right = standin_slant.window_of(image)
            line, sample = (np.array(v, float) for v in ([top, top, bottom, bottom], [left, right, left, right]))
            time, distance = product.scene.place_of(strip, line, sample)
            found = product.scene.located(strip.date, time, distance, dem)
            corners = [np.append(a, b) for a, b in zip(corners, found, strict=True)]
    if not corners[0].size:
        raise Refused("no valid output was produced. Please verify the DEM")
    low, high = ([c.min() - 200, c.max() + 200] for c in corners)
    if product.bounds:
        west, south, east, north = product.bounds
        low, high = (max(low[0], west), min(low[1], east)), (max(high[0], south), min(high[1], north))
    if low[0] >= low[1] or high[0] >= high[1]:
        raise Refused("No intersection with source product boundary")
    step = float(parameters["pixelSpacingInMeter"])
    origin = [0.0, 0.0]
    if truth(parameters, "alignToStandardGrid"):
        origin = [float(parameters[f"standardGridOrigin{axis}"]) for axis in "XY"]
    else:
        origin = [low[0] % step, high[1] % step]
    first_x = origin[0] + step * np.floor((low[0] - origin[0]) / step)
    first_y = origin[1] + step * np.ceil((high[1] - origin[1]) / step)
    rows, cols = int(np.ceil((first_y - high[0]) / step)) + 1, int(np.ceil((low[1] - first_x) / step)) + 1
    return standin_slant.Grid(product.scene.epsg, first_x - step / 2, first_y + step / 2, rows, cols, step)


def axes(grid):
    step = grid.spacing_m
    return grid.west + (np.arange(grid.cols) + 0.5) * step, grid.north - (np.arange(grid.rows) + 0.5) * step


def heights(product, grid, dem):
    return standin_slant.SeenRelief(dem, product.scene.epsg).on_grid(*axes(grid))


@functools.lru_cache(maxsize=4)
def _seen(scene, date, grid, dem):
    east, north = np.meshgrid(*axes(grid))
    return scene.seen(date, east, north, standin_slant.SeenRelief(dem, scene.epsg).on_grid(*axes(grid)))


def _geocoded(product, band, grid, dem):
    def values(_):
        out = np.zeros(grid.shape, np.float32)
        for strip in product.strips:
            image = band.values(strip.swath)
            if image.any():
                line, sample = product.scene.pixels(strip, *_seen(product.scene, strip.date, grid, dem))
                found = standin_slant.sampled(image, line, sample)
                out = np.where(out == 0, found, out).astype(np.float32)
        return out

    return values


def extras(product, parameters, grid, dem):
    """Bands that Terrain-Correction adds."""
    date = product.strips[0].date

    def incidence(_):
        return product.scene.by_dem(dem).incidence(grid, date).astype(np.float32)

    def mask(_):
        shadow, layover = product.scene.truth.shadow_layover(grid)
        return (layover + 2 * shadow).astype(np.int8)

    made = {
        "saveDEM": Band("elevation", "meters", lambda _: heights(product, grid, dem).astype(np.float32)),
        "saveLocalIncidenceAngle": Band("localIncidenceAngle", "degrees", incidence),
        "saveLayoverShadowMask": Band("layoverShadowMask", "bit", mask),
    }
    return [band for switch, band in made.items() if truth(parameters, switch)]


OPERATORS = {
    "Read": read,
    "SliceAssembly": assemble,
    "Apply-Orbit-File": apply_orbit,
    "TOPSAR-Split": split,
    "ThermalNoiseRemoval": remove_noise,
    "Calibration": calibrate,
    "TOPSAR-Deburst": deburst,
    "TOPSAR-Merge": merge,
    "Multilook": multilook,
    "Subset": subset,
    "Terrain-Flattening": flatten,
    "Terrain-Correction": correct,
    "Back-Geocoding": back_geocode,
    "Enhanced-Spectral-Diversity": diversity,
    "Interferogram": interfere,
}
"""By name; Write is the program's."""

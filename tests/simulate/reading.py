"""A reader of its own for what the simulation writes: slow, small, and sharing nothing with the package."""

from __future__ import annotations

import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
import rasterio
from lxml import etree

LIGHT = 299792458.0


def ecef(lon, lat, height):
    """Earth-fixed position of degrees and metres above WGS 84."""
    a, e2 = 6378137.0, 0.0066943799901413165
    lon, lat = np.radians(lon), np.radians(lat)
    n = a / np.sqrt(1 - e2 * np.sin(lat) ** 2)
    flat = (n + height) * np.cos(lat)
    return np.stack([flat * np.cos(lon), flat * np.sin(lon), (n * (1 - e2) + height) * np.sin(lat)], axis=-1)


def polynomial(entry, tau):
    _, t0, coefficients = entry
    return sum(c * (tau - t0) ** k for k, c in enumerate(coefficients))


class Annotation:
    """One swath and polarisation; times in seconds from the full second before the first burst."""

    def __init__(self, xml: bytes) -> None:
        self.root = root = etree.fromstring(xml)
        self.epoch = datetime.fromisoformat(root.findtext(".//burst/azimuthTime")).replace(microsecond=0)
        number = lambda path: float(root.findtext(f".//{path}"))  # noqa: E731
        self.dt, self.fs = number("azimuthTimeInterval"), number("rangeSamplingRate")
        self.wavelength = LIGHT / number("radarFrequency")
        self.tau0 = number("imageInformation/slantRangeTime")
        self.lines, self.samples = int(number("linesPerBurst")), int(number("numberOfSamples"))
        self.steering = np.radians(number("azimuthSteeringRate"))
        self.prf, self.rank = number("prf"), int(number("rank"))
        self.spacing = number("azimuthPixelSpacing")
        self.bursts = [self.seconds(b.findtext("azimuthTime")) for b in root.iter("burst")]
        vectors = list(root.iter("orbit"))
        self.orbit_times = np.array([self.seconds(v.findtext("time")) for v in vectors])
        self.positions, self.velocities = (
            np.array([[float(v.findtext(f"{what}/{axis}")) for axis in "xyz"] for v in vectors])
            for what in ("position", "velocity")
        )
        self._middle = self.orbit_times.mean()
        self._fit = np.polynomial.polynomial.polyfit(
            (self.orbit_times - self._middle) / 60.0, self.positions, min(11, len(vectors) - 1)
        )
        self.fm = self._entries("azimuthFmRate", "azimuthFmRatePolynomial")
        self.doppler = self._entries("dcEstimate", "dataDcPolynomial")

    def seconds(self, text: str) -> float:
        return (datetime.fromisoformat(text) - self.epoch).total_seconds()

    def _entries(self, tag, name):
        return [
            (
                self.seconds(e.findtext("azimuthTime")),
                float(e.findtext("t0")),
                [float(c) for c in e.findtext(name).split()],
            )
            for e in self.root.iter(tag)
        ]

    @property
    def tau_middle(self):
        return self.tau0 + self.samples / 2 / self.fs

    def state(self, t, order=0):
        """Position, velocity or acceleration at times."""
        c = self._fit
        for _ in range(order):
            c = np.polynomial.polynomial.polyder(c) / 60.0
        return np.moveaxis(np.polynomial.polynomial.polyval((np.asarray(t) - self._middle) / 60.0, c), 0, -1)

    def solve(self, points):
        """Zero-Doppler time and range."""
        t = np.full(points.shape[:-1], self.bursts[0] + 2.0)
        for _ in range(8):
            look, velocity = points - self.state(t), self.state(t, 1)
            slope = (look * self.state(t, 2)).sum(-1) - (velocity**2).sum(-1)
            t = t - (look * velocity).sum(-1) / slope
        return t, np.linalg.norm(points - self.state(t), axis=-1)

    def carrier(self, burst, eta, tau):
        """Phase of the TOPS carrier, radians."""
        middle = self.bursts[burst] + self.lines / 2 * self.dt
        ks = 2 * np.linalg.norm(self.state(middle, 1)) * self.steering / self.wavelength
        fm, doppler = (min(entries, key=lambda e: abs(e[0] - middle)) for entries in (self.fm, self.doppler))
        ka, fd = polynomial(fm, tau), polynomial(doppler, tau)
        reference = -fd / ka + polynomial(doppler, self.tau0) / polynomial(fm, self.tau0)
        kt = ka * ks / (ka - ks)
        return np.pi * kt * (eta - reference) ** 2 + 2 * np.pi * fd * (eta - reference)

    def grid(self):
        """Geolocation grid: azimuth time, range time, longitude, latitude, height, line, pixel, incidence."""
        names = ("slantRangeTime", "longitude", "latitude", "height", "line", "pixel", "incidenceAngle")
        return np.array(
            [
                [self.seconds(p.findtext("azimuthTime")), *(float(p.findtext(n)) for n in names)]
                for p in self.root.iter("geolocationGridPoint")
            ]
        ).T


class Noise:
    def __init__(self, xml: bytes, annotation: Annotation) -> None:
        root = etree.fromstring(xml)
        numbers = lambda e, name: np.array(e.findtext(name).split(), float)  # noqa: E731
        self.ranges = [
            (annotation.seconds(v.findtext("azimuthTime")), numbers(v, "pixel"), numbers(v, "noiseRangeLut"))
            for v in root.iter("noiseRangeVector")
        ]
        azimuth = root.find(".//noiseAzimuthVector")
        self.azimuth = numbers(azimuth, "line"), numbers(azimuth, "noiseAzimuthLut")
        self.annotation = annotation

    def at(self, burst, line, sample):
        start = self.annotation.bursts[burst]
        _, pixel, lut = min(self.ranges, key=lambda v: abs(v[0] - start))
        return np.interp(sample, pixel, lut) * np.interp(line + burst * self.annotation.lines, *self.azimuth)


def safes(out: Path) -> list[Path]:
    return sorted((out / "archive/Sentinel-1").rglob("*.SAFE"))


class Product:
    """Samples of one swath and polarisation of a SAFE folder."""

    def __init__(self, safe: Path, swath: int, pol: str) -> None:
        def only(pattern):
            (found,) = safe.glob(pattern)
            return found

        name = f"s1a-iw{swath}-slc-{pol}-*"
        self.annotation = Annotation(only(f"annotation/{name}.xml").read_bytes())
        self.noise = Noise(only(f"annotation/calibration/noise-{name}.xml").read_bytes(), self.annotation)
        self.bulk = Annotation(only(f"annotation/s1a-iw2-slc-{pol}-*.xml").read_bytes()).tau_middle
        self.path = only(f"measurement/{name}.tiff")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with rasterio.open(self.path) as file:
                self.samples = file.read(1)

    def place(self, points):
        """Burst nearest to its middle, line in it, sample, range and true time of points."""
        a = self.annotation
        t, distance = a.solve(points)
        tau = 2 * distance / LIGHT
        annotated = t - (self.bulk / 2 + tau / 2 - a.rank / a.prf)
        middle = np.array(a.bursts) + a.lines / 2 * a.dt
        burst = np.argmin(np.abs(annotated[..., None] - middle), axis=-1)
        return burst, (annotated - np.array(a.bursts)[burst]) / a.dt, (tau - a.tau0) * a.fs, distance

    def burst(self, index):
        return self.samples[index * self.annotation.lines : (index + 1) * self.annotation.lines]

    def flattened(self, points, taps=12):
        """Samples at points without carrier and range phase, by a windowed sinc; one burst must hold them."""
        a = self.annotation
        burst, line, sample, distance = self.place(points)
        (index,) = np.unique(burst)
        shape, line, sample = points.shape[:-1], line.ravel(), sample.ravel()
        first_line, first_sample = int(line.min()) - taps, int(sample.min()) - taps
        lines = np.arange(first_line, int(line.max()) + taps)
        samples = np.arange(first_sample, int(sample.max()) + taps)
        phase = a.carrier(index, (lines[:, None] - a.lines / 2) * a.dt, a.tau0 + samples[None] / a.fs)
        quiet = self.burst(index)[np.ix_(lines, samples)] * np.exp(-1j * phase)
        step = np.arange(1 - taps // 2, taps // 2 + 1)

        def weights(position):
            x = step - (position - np.floor(position))[:, None]
            return np.sinc(x) * np.i0(6 * np.sqrt(np.clip(1 - (2 * x / taps) ** 2, 0, None))) / np.i0(6)

        row = np.floor(line).astype(int)[:, None] + step - first_line
        col = np.floor(sample).astype(int)[:, None] + step - first_sample
        across = np.einsum("nj,nij->ni", weights(sample), quiet[row[:, :, None], col[:, None, :]])
        value = np.sum(weights(line) * across, axis=1)
        value = value * np.exp(1j * a.carrier(index, (line - a.lines / 2) * a.dt, a.tau0 + sample / a.fs))
        return (value * np.exp(4j * np.pi * distance.ravel() / a.wavelength)).reshape(shape)

"""What the instrument and its processor do: the constants of the interferometric wide swath mode.

Values as annotated in Sentinel-1 IW products of 2023 (IPF 3.61).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SPEED_OF_LIGHT_M_S = 299_792_458.0
RADAR_FREQUENCY_HZ = 5.405000454334350e9
WAVELENGTH_M = SPEED_OF_LIGHT_M_S / RADAR_FREQUENCY_HZ
RANGE_SAMPLING_HZ = 6.434523812571428e7
RANGE_SPACING_M = SPEED_OF_LIGHT_M_S / RANGE_SAMPLING_HZ / 2
LINE_INTERVAL_S = 2.055556299999998e-3
BETA_NOUGHT = 237.0
DOPPLER_T0_S = 5.338158824457998e-3
"""Reference of the Doppler polynomials, the same in all three swaths."""

ORBIT_PERIOD_S = 12 * 86400.0 / 175
BURST_PERIOD_S = 2.758273
PREAMBLE_S = 2.299849
"""Nodal period, period of the burst cycle and the time of the first cycle: S1-TN-MDA-52-7445, equation 9-89."""
CYCLE_PHASE = 0.49
"""Where the middle of an IW2 burst lies in the burst cycle, 0 to 1."""

POLARISATIONS = ("vv", "vh")


@dataclass(frozen=True, slots=True)
class SwathDesign:
    """One subswath.

    Attributes
    ----------
    number : int
        1 to 3.
    slant_range_time_s : float
        Two-way time of the first sample of the whole swath.
    samples : int
        Samples of the whole swath.
    lines : int
        Lines of a burst.
    first_valid_line, last_valid_line : int
        Inclusive.
    steering_rate_deg_s : float
        Azimuth steering of the antenna.
    prf_hz, rank : float, int
        Pulse repetition frequency of the raw data; pulses in the air.
    ramp_rate_hz_s, pulse_length_s : float
        The transmitted chirp.
    range_bandwidth_hz, azimuth_bandwidth_hz : float
        Processed bands.
    range_window, azimuth_window : float
        Hamming coefficients.
    raw_delay_s : float
        ``sensingTime - azimuthTime`` of a burst.
    cycle_offset_s : float
        From the raw start of the burst to the middle of the IW2 burst of its cycle.
    fm_start_s, doppler_start_s : float
        First entry of the polynomial lists, after the start of the first burst.
    """

    number: int
    slant_range_time_s: float
    samples: int
    lines: int
    first_valid_line: int
    last_valid_line: int
    steering_rate_deg_s: float
    prf_hz: float
    rank: int
    ramp_rate_hz_s: float
    pulse_length_s: float
    range_bandwidth_hz: float
    azimuth_bandwidth_hz: float
    range_window: float
    azimuth_window: float
    raw_delay_s: float
    cycle_offset_s: float
    fm_start_s: float
    doppler_start_s: float

    @property
    def name(self) -> str:
        """``IW1`` to ``IW3``."""
        return f"IW{self.number}"

    @property
    def middle_range_time_s(self) -> float:
        """Two-way time of the middle of the whole swath."""
        return self.slant_range_time_s + self.samples / 2 / RANGE_SAMPLING_HZ


SWATHS: Mapping[int, SwathDesign] = MappingProxyType(
    {
        1: SwathDesign(
            number=1,
            slant_range_time_s=5.334431164884956e-03,
            samples=23055,
            lines=1507,
            first_valid_line=21,
            last_valid_line=1487,
            steering_rate_deg_s=1.590368784,
            prf_hz=1717.128973878037,
            rank=9,
            ramp_rate_hz_s=1.078230321255894e12,
            pulse_length_s=5.240481033595628e-05,
            range_bandwidth_hz=56.5e6,
            azimuth_bandwidth_hz=327.0,
            range_window=0.75,
            azimuth_window=0.70,
            raw_delay_s=1.148511,
            cycle_offset_s=1.371,
            fm_start_s=-1.195150,
            doppler_start_s=-0.232410,
        ),
        2: SwathDesign(
            number=2,
            slant_range_time_s=5.644353088882477e-03,
            samples=26818,
            lines=1519,
            first_valid_line=26,
            last_valid_line=1493,
            steering_rate_deg_s=0.979863325,
            prf_hz=1451.627112193990,
            rank=8,
            ramp_rate_hz_s=7.792817275120481e11,
            pulse_length_s=6.199592966536363e-05,
            range_bandwidth_hz=48.3e6,
            azimuth_bandwidth_hz=313.0,
            range_window=0.75,
            azimuth_window=0.75,
            raw_delay_s=1.035158,
            cycle_offset_s=0.539,
            fm_start_s=-1.184801,
            doppler_start_s=-1.177181,
        ),
        3: SwathDesign(
            number=3,
            slant_range_time_s=6.015320711278467e-03,
            samples=25769,
            lines=1524,
            first_valid_line=29,
            last_valid_line=1496,
            steering_rate_deg_s=1.397440818,
            prf_hz=1685.817302492702,
            rank=10,
            ramp_rate_hz_s=8.014509490705804e11,
            pulse_length_s=5.339056426703426e-05,
            range_bandwidth_hz=42.78991840322842e6,
            azimuth_bandwidth_hz=314.0,
            range_window=0.75,
            azimuth_window=0.75,
            raw_delay_s=1.159697,
            cycle_offset_s=-0.539,
            fm_start_s=1.590069,
            doppler_start_s=0.634652,
        ),
    }
)

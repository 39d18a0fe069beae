"""SEN12TS: radar, optical and land-cover triplets for any area and year."""

__version__ = "0.1.0"

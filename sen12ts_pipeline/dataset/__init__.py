"""The data set: its files, their descriptions, and the ways back in."""

from sen12ts_pipeline.dataset.reader import Dataset, Entry, Sample, open_dataset

__all__ = ["Dataset", "Entry", "Sample", "open_dataset"]

"""Warnings that mean nothing here."""

import warnings

import pytest

from sen12ts_pipeline.quiet import ignored


def test_are_ignored_by_category_and_for_a_while_only():
    with ignored(RuntimeWarning):
        warnings.warn("nothing", RuntimeWarning, stacklevel=1)
        with pytest.raises(UserWarning, match="something"):
            warnings.warn("something", UserWarning, stacklevel=1)
    with pytest.raises(RuntimeWarning, match="nothing"):
        warnings.warn("nothing", RuntimeWarning, stacklevel=1)

"""SAR2VI: the vegetation index of a day from the radar stack alone (section 4.1 of the paper)."""

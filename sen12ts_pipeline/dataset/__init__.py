"""The data set: its files, their descriptions, and the ways back in."""

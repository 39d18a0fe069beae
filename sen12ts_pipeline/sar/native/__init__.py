"""The native engine: from bursts, an orbit and a DEM to the radar layers of a tile, with nothing but Python packages.

In the order of the data: `scene` opens a pass, `geometry` solves it over a map window, `terrain` makes what holds for
every date, `image` samples one date, `backscatter` and `interferogram` turn samples to layers. Loops lie in `kernels`.
"""

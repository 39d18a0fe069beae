"""The SNAP engine: frames by ESA's toolbox, over the geometry of the native engine."""

"""Land-cover labels of tiles."""

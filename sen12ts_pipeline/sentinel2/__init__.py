"""Sentinel-2 L2A products: metadata, layers of tiles, cloud masks."""

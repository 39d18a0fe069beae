"""What is written in a Sentinel-1 product, as values. Nothing here computes a layer, and nothing fetches a file."""

"""Small archives of Sentinel-1 and Sentinel-2 products with known truth, made from physical parameters alone.

Nothing here is shared with the code that reads and processes products: the truth must not come from what it judges.
"""

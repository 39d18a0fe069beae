"""Heights above the ellipsoid: elevation models in any system, and the geoids that their datums need."""

"""Getting at products: the files of one, and the archives they lie in."""

"""Values and rules of the data set: no input or output, no clock, no randomness but seeded."""

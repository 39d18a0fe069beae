"""On one machine, from the checkout: what `make run` and `make ui` call."""

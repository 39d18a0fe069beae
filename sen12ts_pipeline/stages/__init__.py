"""The stages of a partition, in the order of data flow: each asks what is there already and makes the rest.

A stage takes the partition as text and the services, leaves immutable documents and artifacts in the store, and returns
a short reference to them.
"""

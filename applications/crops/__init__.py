"""Classes of crops from a year's series of radar and optical stacks (section 4.2 of the paper)."""

"""Using a policy: lists for people, with a verdict and its evidence for every title."""

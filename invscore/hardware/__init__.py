"""Properties of the machine: memory, and the precisions in which it computes."""

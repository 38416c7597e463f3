"""What the machine has: memory, and the precisions in which it computes."""

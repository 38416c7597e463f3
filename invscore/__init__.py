"""invscore."""

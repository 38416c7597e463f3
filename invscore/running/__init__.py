"""One run of a method to its end: its seeds, its steps, the watch for NaN, its probes."""

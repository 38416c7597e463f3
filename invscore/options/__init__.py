"""Options, their ranges, configurations, and the messages of faults in them."""

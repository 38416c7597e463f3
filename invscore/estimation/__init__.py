"""What a measurement tells of itself: its noise, its scale, the blur that made it."""

"""Estimates from a measurement alone: its noise, its scale, the blur that made it."""

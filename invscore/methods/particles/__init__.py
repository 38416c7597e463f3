"""Sequential Monte Carlo: samples of an image that are drawn together, as weighted particles."""

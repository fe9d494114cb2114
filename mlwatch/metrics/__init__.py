"""Pure functions of additive sufficient statistics: numpy arrays in, estimates out."""

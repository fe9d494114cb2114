"""Watch machine-learning models in production: prediction logs in, one verdict out, live."""

__version__ = "0.1.0"

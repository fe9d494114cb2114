"""The faces of a snapshot besides the app: documents and tables."""

"""The DuckDB store: the ingest transaction, the ledger of files, quarantine and rollups."""

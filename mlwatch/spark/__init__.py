"""Rollups counted by Apache Spark: the SQL of the store, said in Spark's dialect."""

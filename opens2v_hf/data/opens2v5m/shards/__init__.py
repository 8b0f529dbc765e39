"""OpenS2V-5M as Parquet shards: schema, writing, conversion, checks."""

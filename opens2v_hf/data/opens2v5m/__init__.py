"""OpenS2V-5M: reading the released layout, converting it to Parquet, and the builder over both."""

"""Bulk reading: each shard of pictures becomes one Parquet file, with processes or Ray.

``places`` lists files on any file system; ``shards`` groups them; ``items`` yields the pictures of
a shard; ``work`` reads a shard and writes its rows; ``process_pool`` and ``ray_data`` run it.
"""

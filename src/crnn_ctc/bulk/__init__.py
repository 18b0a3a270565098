"""Bulk reading: processes or Ray convert each shard of pictures to one Parquet file.

``places`` lists files on any file system; ``shards`` groups them; ``items`` yields the pictures of
a shard; ``work`` reads a shard and writes its rows; ``process_pool`` and ``ray_data`` run it.
"""

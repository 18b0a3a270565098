"""Reading very many pictures: cut into shards, each read to one Parquet file, by processes or Ray.

``places`` finds files, here or on another file system; ``shards`` cuts them up; ``items`` takes
pictures out of a shard; ``work`` reads a shard and writes its rows; ``process_pool`` and
``ray_data`` run it.
"""

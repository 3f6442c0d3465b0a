"""Videos => clips => shards => training examples."""

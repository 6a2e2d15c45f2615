"""The same workload here and in another simulator, both figures and their ratio in one run."""

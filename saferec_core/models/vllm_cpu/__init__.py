"""vLLM on machines without a GPU: updates of weights that vLLM has repacked, and their transfer by gloo."""

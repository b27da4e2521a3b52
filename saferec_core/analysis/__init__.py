"""Statistics of stored evaluations: intervals, comparisons, gates. No torch."""

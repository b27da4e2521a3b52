"""What stored rows allow one to say: intervals, comparisons, gates. No torch."""

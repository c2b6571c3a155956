"""Off-policy estimates: what another policy would have earned, from what this one has logged."""

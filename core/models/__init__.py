"""The members of the ensemble: JENN, F-ELU-Net and LightGBM."""

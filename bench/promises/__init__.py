"""Do the intervals keep their promise? Drawn seasons whose truth is known, planned, reviewed and estimated."""

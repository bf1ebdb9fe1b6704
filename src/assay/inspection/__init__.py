"""Two stages on one photo: what is where, and in what condition."""

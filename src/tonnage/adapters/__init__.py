"""The edge: one narrow door for each outside thing; each turns foreign errors into ours."""

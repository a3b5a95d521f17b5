# Criterion tests of src/net; each links only what its folder may see.

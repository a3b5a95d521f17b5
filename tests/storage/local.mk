# Criterion tests of src/storage; each links only what its folder may see.

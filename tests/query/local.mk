# Criterion tests of src/query; each links only what its folder may see.

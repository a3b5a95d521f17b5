# Criterion tests of src/rpsl; each links only what its folder may see.

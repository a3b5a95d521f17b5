# Criterion tests of src/conf; each links only what its folder may see.

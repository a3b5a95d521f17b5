# Criterion tests of src/base; each links only what its folder may see.

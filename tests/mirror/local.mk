# Criterion tests of src/mirror; each links only what its folder may see.

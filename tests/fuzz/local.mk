# Fuzz targets, one per parser: built with --enable-fuzzers, their seeds replayed by make check.

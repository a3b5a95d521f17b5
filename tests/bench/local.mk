# Benches: floors and a load generator (C), one driver for all figures. Built by
# `make bench-programs`, not by default.
bench_programs = tests/bench/floor tests/bench/load tests/bench/sql_floor tests/bench/index_bench
EXTRA_PROGRAMS += $(bench_programs)
CLEANFILES += $(bench_programs)

tests_bench_floor_SOURCES = tests/bench/floor.c
tests_bench_floor_LDADD = $(EV_LIBS)
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_sql_floor_SOURCES = tests/bench/sql_floor.c \
    tests/bench/dump_reader.c tests/bench/dump_reader.h
tests_bench_sql_floor_CFLAGS = $(AM_CFLAGS) $(MYSQL_CFLAGS) $(ZLIB_CFLAGS)
tests_bench_sql_floor_LDADD = $(MYSQL_LIBS) $(ZLIB_LIBS)
tests_bench_index_bench_SOURCES = tests/bench/index_bench.c
tests_bench_index_bench_LDADD = $(LINK_STORAGE)

EXTRA_DIST += tests/bench/bench.py tests/bench/rig.py tests/bench/workload.py \
    tests/bench/freshness.py tests/bench/answers.py tests/bench/reload.py

.PHONY: bench bench-programs
bench-programs: $(bench_programs)

SCALE = 1000000
BENCH_FLAGS =
# `make bench SCALE=N` measures everything and writes doc/benchmarks.md.
bench: all bench-programs
	$(srcdir)/tests/bench/bench.py all --scale $(SCALE) --build . --write $(BENCH_FLAGS)

# Fuzz targets, one per parser. A target NAME is NAME_fuzz.c here and some files in seeds/NAME/.
# `make check` replays the seeds; configured with --enable-fuzzers (clang), `make fuzz` lets libFuzzer
# loose on each for FUZZ_SECONDS, from the seeds and from what long runs have found (corpora.tar.gz, a
# folder per target); it prints the coverage (cov:) as it goes.
# To add one: its name to FUZZ_TARGETS, and its _SOURCES and _LDADD.
FUZZ_TARGETS = \
    tests/fuzz/answer_fuzz \
    tests/fuzz/checkpoint_fuzz \
    tests/fuzz/conf_fuzz \
    tests/fuzz/diff_fuzz \
    tests/fuzz/dump_fuzz \
    tests/fuzz/ip_fuzz \
    tests/fuzz/key_fuzz \
    tests/fuzz/nrtm_fuzz \
    tests/fuzz/object_fuzz \
    tests/fuzz/proxy_fuzz \
    tests/fuzz/query_fuzz \
    tests/fuzz/syntax_fuzz
FUZZ_SECONDS = 60
EXTRA_DIST += tests/fuzz/seeds tests/fuzz/corpora.tar.gz

if FUZZERS
noinst_PROGRAMS += $(FUZZ_TARGETS)
FUZZ_MAIN = tests/fuzz/fuzz.h
else
check_PROGRAMS += $(FUZZ_TARGETS)
TESTS += $(FUZZ_TARGETS)
FUZZ_MAIN = tests/fuzz/fuzz.h tests/fuzz/replay.c
endif

# Finds go to corpus-NAME/ of the build folder; a crash ends with the input's file name.
.PHONY: fuzz
fuzz: $(FUZZ_TARGETS)
	@mkdir -p kept; tar -xzf $(top_srcdir)/tests/fuzz/corpora.tar.gz -C kept
	@set -e; for program in $(FUZZ_TARGETS); do \
	    name=$${program##*/}; name=$${name%_fuzz}; mkdir -p corpus-$$name kept/$$name; \
	    echo "fuzzing $$name for $(FUZZ_SECONDS) s"; \
	    ./$$program -max_total_time=$(FUZZ_SECONDS) corpus-$$name \
	        $(top_srcdir)/tests/fuzz/seeds/$$name kept/$$name; \
	done

# The fuzzer has to find a bug that key_fuzz plants on demand.
.PHONY: fuzz-planted
fuzz-planted: tests/fuzz/key_fuzz
	@mkdir -p corpus-planted; \
	if FUZZ_PLANTED=1 ./tests/fuzz/key_fuzz -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=corpus-planted/ \
	    corpus-planted $(top_srcdir)/tests/fuzz/seeds/key; then echo "the planted bug was not found"; exit 1; \
	else echo "the planted bug was found"; fi

tests_fuzz_checkpoint_fuzz_SOURCES = tests/fuzz/checkpoint_fuzz.c $(FUZZ_MAIN)
tests_fuzz_checkpoint_fuzz_LDADD = $(FUZZ_LINK) $(LINK_STORAGE)

tests_fuzz_conf_fuzz_SOURCES = tests/fuzz/conf_fuzz.c $(FUZZ_MAIN)
tests_fuzz_conf_fuzz_LDADD = $(FUZZ_LINK) $(LINK_CONF)

tests_fuzz_dump_fuzz_SOURCES = tests/fuzz/dump_fuzz.c $(FUZZ_MAIN)
tests_fuzz_dump_fuzz_LDADD = $(FUZZ_LINK) libmirror.a $(LINK_BASE) $(ZLIB_LIBS)

tests_fuzz_nrtm_fuzz_SOURCES = tests/fuzz/nrtm_fuzz.c $(FUZZ_MAIN)
tests_fuzz_nrtm_fuzz_LDADD = $(FUZZ_LINK) libmirror.a $(LINK_BASE)

tests_fuzz_ip_fuzz_SOURCES = tests/fuzz/ip_fuzz.c $(FUZZ_MAIN)
tests_fuzz_ip_fuzz_LDADD = $(FUZZ_LINK) $(LINK_RPSL)

tests_fuzz_object_fuzz_SOURCES = tests/fuzz/object_fuzz.c $(FUZZ_MAIN)
tests_fuzz_object_fuzz_LDADD = $(FUZZ_LINK) $(LINK_RPSL)

tests_fuzz_syntax_fuzz_SOURCES = tests/fuzz/syntax_fuzz.c $(FUZZ_MAIN)
tests_fuzz_syntax_fuzz_LDADD = $(FUZZ_LINK) $(LINK_RPSL)

tests_fuzz_proxy_fuzz_SOURCES = tests/fuzz/proxy_fuzz.c $(FUZZ_MAIN)
tests_fuzz_proxy_fuzz_LDADD = $(FUZZ_LINK) $(LINK_NET)

tests_fuzz_query_fuzz_SOURCES = tests/fuzz/query_fuzz.c $(FUZZ_MAIN)
tests_fuzz_query_fuzz_LDADD = $(FUZZ_LINK) $(LINK_QUERY)

tests_fuzz_key_fuzz_SOURCES = tests/fuzz/key_fuzz.c $(FUZZ_MAIN)
tests_fuzz_key_fuzz_LDADD = $(FUZZ_LINK) $(LINK_QUERY)

tests_fuzz_diff_fuzz_SOURCES = tests/fuzz/diff_fuzz.c $(FUZZ_MAIN)
tests_fuzz_diff_fuzz_LDADD = $(FUZZ_LINK) $(LINK_QUERY)

tests_fuzz_answer_fuzz_SOURCES = tests/fuzz/answer_fuzz.c tests/query/fixture.c tests/query/fixture.h \
    tests/query/fixture_versions.c tests/query/fixture_versions.h \
    tests/query/small_registry.h $(FUZZ_MAIN)
tests_fuzz_answer_fuzz_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_fuzz_answer_fuzz_LDADD = $(FUZZ_LINK) $(LINK_QUERY) $(ZLIB_LIBS)

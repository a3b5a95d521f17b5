# Criterion tests of src/mirror; each links only what its folder may see.
# The parsers need neither storage nor sockets.
mirror_parser_tests = tests/mirror/dump_test tests/mirror/nrtm_stream_test
MIRROR_PARSER_LIBS = libmirror.a librpsl.a $(LINK_BASE) $(ZLIB_LIBS) $(CRITERION_LIBS)
tests_mirror_dump_test_SOURCES = tests/mirror/dump_test.c
tests_mirror_dump_test_LDADD = $(MIRROR_PARSER_LIBS)
tests_mirror_nrtm_stream_test_SOURCES = tests/mirror/nrtm_stream_test.c
tests_mirror_nrtm_stream_test_LDADD = $(MIRROR_PARSER_LIBS)
check_PROGRAMS += $(mirror_parser_tests)
TESTS += $(mirror_parser_tests)

# Criterion tests of src/query; each links only what its folder may see.
QUERY_TESTS = \
    tests/query/acl_test \
    tests/query/addresses_test \
    tests/query/answer_test \
    tests/query/check_test \
    tests/query/diff_test \
    tests/query/info_test \
    tests/query/key_test \
    tests/query/line_test \
    tests/query/messages_test \
    tests/query/parse_test \
    tests/query/server_test \
    tests/query/versions_test
check_PROGRAMS += $(QUERY_TESTS)
TESTS += $(QUERY_TESTS)

tests_query_acl_test_LDADD = $(LINK_QUERY) $(CRITERION_LIBS)
tests_query_addresses_test_LDADD = $(LINK_QUERY) $(CRITERION_LIBS)

tests_query_answer_test_SOURCES = tests/query/answer_test.c tests/log_lines.h tests/query/small_registry.h \
    tests/query/fixture.c tests/query/fixture.h
tests_query_answer_test_LDADD = $(LINK_QUERY) $(ZLIB_LIBS) $(CRITERION_LIBS)
tests_query_check_test_LDADD = $(LINK_QUERY) $(CRITERION_LIBS)
tests_query_diff_test_LDADD = $(LINK_QUERY) $(CRITERION_LIBS)
tests_query_info_test_LDADD = $(LINK_QUERY) $(CRITERION_LIBS)
tests_query_key_test_LDADD = $(LINK_QUERY) $(CRITERION_LIBS)
tests_query_line_test_LDADD = $(LINK_QUERY) $(CRITERION_LIBS)
tests_query_messages_test_LDADD = $(LINK_QUERY) $(CRITERION_LIBS)
tests_query_parse_test_LDADD = $(LINK_QUERY) $(CRITERION_LIBS)

tests_query_server_test_SOURCES = tests/query/server_test.c tests/query/small_registry.h \
    tests/query/fixture.c tests/query/fixture.h
tests_query_server_test_LDADD = $(LINK_QUERY) $(ZLIB_LIBS) $(CRITERION_LIBS)

tests_query_versions_test_SOURCES = tests/query/versions_test.c tests/query/fixture.c tests/query/fixture.h \
    tests/query/fixture_versions.c tests/query/fixture_versions.h
tests_query_versions_test_LDADD = $(LINK_QUERY) $(ZLIB_LIBS) $(CRITERION_LIBS)

# The recorded dialogues, over a server without a database.
check_PROGRAMS += tests/query/serve
tests_query_serve_SOURCES = tests/query/serve.c tests/query/fixture.c tests/query/fixture.h \
    tests/query/fixture_versions.c tests/query/fixture_versions.h
tests_query_serve_LDADD = $(LINK_QUERY) $(ZLIB_LIBS)
TESTS += tests/golden/check tests/query/forward.py
EXTRA_DIST += tests/query/forward.py tests/golden/check tests/golden/run.py tests/golden/expected.txt \
    tests/golden/main.rec.gz tests/golden/mirror.rec.gz tests/golden/versions.rec.gz \
    tests/golden/sessions.json

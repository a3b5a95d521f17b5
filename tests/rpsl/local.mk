# Criterion tests of src/rpsl; each links only what its folder may see.
RPSL_TESTS = \
    tests/rpsl/charset_test \
    tests/rpsl/dummify_test \
    tests/rpsl/fold_test \
    tests/rpsl/index_values_test \
    tests/rpsl/ip_test \
    tests/rpsl/key_test \
    tests/rpsl/layout_test \
    tests/rpsl/object_test \
    tests/rpsl/policy_test \
    tests/rpsl/schema_test \
    tests/rpsl/syntax_test
check_PROGRAMS += $(RPSL_TESTS)
TESTS += $(RPSL_TESTS)
EXTRA_DIST += tests/rpsl/make_fold_table.py tests/rpsl/make_charset_table.py

tests_rpsl_charset_test_SOURCES = tests/rpsl/charset_test.c
tests_rpsl_charset_test_LDADD = $(LINK_RPSL) $(CRITERION_LIBS)
tests_rpsl_fold_test_SOURCES = tests/rpsl/fold_test.c
tests_rpsl_fold_test_LDADD = $(LINK_RPSL) $(CRITERION_LIBS)
tests_rpsl_index_values_test_SOURCES = tests/rpsl/index_values_test.c
tests_rpsl_index_values_test_LDADD = $(LINK_RPSL) $(CRITERION_LIBS)
tests_rpsl_ip_test_SOURCES = tests/rpsl/ip_test.c
tests_rpsl_ip_test_LDADD = $(LINK_RPSL) $(CRITERION_LIBS)
tests_rpsl_key_test_SOURCES = tests/rpsl/key_test.c
tests_rpsl_key_test_LDADD = $(LINK_RPSL) $(CRITERION_LIBS)
tests_rpsl_layout_test_SOURCES = tests/rpsl/layout_test.c
tests_rpsl_layout_test_LDADD = $(LINK_RPSL) $(CRITERION_LIBS)
tests_rpsl_object_test_SOURCES = tests/rpsl/object_test.c
tests_rpsl_object_test_LDADD = $(LINK_RPSL) $(CRITERION_LIBS)
tests_rpsl_schema_test_SOURCES = tests/rpsl/schema_test.c
tests_rpsl_schema_test_LDADD = $(LINK_RPSL) $(CRITERION_LIBS)
tests_rpsl_policy_test_SOURCES = tests/rpsl/policy_test.c
tests_rpsl_policy_test_LDADD = $(LINK_RPSL) $(CRITERION_LIBS)
tests_rpsl_syntax_test_SOURCES = tests/rpsl/syntax_test.c
tests_rpsl_syntax_test_LDADD = $(LINK_RPSL) $(CRITERION_LIBS)
tests_rpsl_dummify_test_SOURCES = tests/rpsl/dummify_test.c
tests_rpsl_dummify_test_LDADD = $(LINK_RPSL) $(CRITERION_LIBS)

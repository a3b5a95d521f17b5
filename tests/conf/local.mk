# Criterion tests of src/conf; each links only what its folder may see.
CONF_TESTS = \
    tests/conf/conf_test \
    tests/conf/parsers_test \
    tests/conf/properties_test
check_PROGRAMS += $(CONF_TESTS)
TESTS += $(CONF_TESTS)

tests_conf_conf_test_LDADD = $(LINK_CONF) $(CRITERION_LIBS)
tests_conf_parsers_test_LDADD = $(LINK_CONF) $(CRITERION_LIBS)
tests_conf_properties_test_LDADD = $(LINK_CONF) $(CRITERION_LIBS)

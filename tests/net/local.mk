# Criterion tests of src/net; each links only what its folder may see.
NET_TESTS = \
    tests/net/conn_test
check_PROGRAMS += $(NET_TESTS)
TESTS += $(NET_TESTS)

tests_net_conn_test_SOURCES = tests/net/conn_test.c tests/net/server.c tests/net/server.h
tests_net_conn_test_LDADD = $(LINK_NET) $(CRITERION_LIBS)

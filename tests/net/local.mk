# Criterion tests of src/net; each links only what its folder may see.
NET_TESTS = \
    tests/net/conn_test \
    tests/net/connect_test \
    tests/net/fast_path_test \
    tests/net/listener_test \
    tests/net/loop_test \
    tests/net/pool_test \
    tests/net/proxy_header_test
check_PROGRAMS += $(NET_TESTS)
TESTS += $(NET_TESTS)

TEST_SERVER = tests/net/server.c tests/net/server.h
tests_net_conn_test_SOURCES = tests/net/conn_test.c $(TEST_SERVER)
tests_net_conn_test_LDADD = $(LINK_NET) $(CRITERION_LIBS)
tests_net_connect_test_LDADD = $(LINK_NET) $(CRITERION_LIBS)
tests_net_fast_path_test_SOURCES = tests/net/fast_path_test.c $(TEST_SERVER)
tests_net_fast_path_test_LDADD = $(LINK_NET) $(CRITERION_LIBS)
tests_net_listener_test_SOURCES = tests/net/listener_test.c $(TEST_SERVER)
tests_net_listener_test_LDADD = $(LINK_NET) $(CRITERION_LIBS)
tests_net_loop_test_LDADD = $(LINK_NET) $(CRITERION_LIBS)
tests_net_pool_test_LDADD = $(LINK_NET) $(CRITERION_LIBS)
tests_net_proxy_header_test_LDADD = $(LINK_NET) $(CRITERION_LIBS)

# Criterion tests of src/mirror; each links only what its folder may see.
# Parsers need neither storage nor sockets; sessions run on a fake storage, the client on fake
# sockets and a fake clock, all linked in place of the real ones.
mirror_tests = tests/mirror/dump_test tests/mirror/nrtm_stream_test tests/mirror/nrtm_reply_test \
    tests/mirror/nrtm_session_test tests/mirror/loader_test tests/mirror/nrtm_client_test \
    tests/mirror/mirror_conf_test tests/mirror/mirror_test tests/mirror/schedule_test \
    tests/mirror/registries_test tests/mirror/md5_sum_test
MIRROR_TEST_LIBS = libmirror.a librpsl.a $(LINK_CONF) $(ZLIB_LIBS) $(CURL_LIBS) $(CRYPTO_LIBS) $(CRITERION_LIBS)
FAKE_STORAGE = tests/mirror/fake_storage.c tests/mirror/fake_storage.h
tests_mirror_dump_test_SOURCES = tests/mirror/dump_test.c
tests_mirror_dump_test_LDADD = $(MIRROR_TEST_LIBS)
tests_mirror_nrtm_stream_test_SOURCES = tests/mirror/nrtm_stream_test.c
tests_mirror_nrtm_stream_test_LDADD = $(MIRROR_TEST_LIBS)
tests_mirror_nrtm_reply_test_SOURCES = tests/mirror/nrtm_reply_test.c
tests_mirror_nrtm_reply_test_LDADD = $(MIRROR_TEST_LIBS)
tests_mirror_nrtm_session_test_SOURCES = tests/mirror/nrtm_session_test.c $(FAKE_STORAGE)
tests_mirror_nrtm_session_test_LDADD = $(MIRROR_TEST_LIBS)
tests_mirror_loader_test_SOURCES = tests/mirror/loader_test.c $(FAKE_STORAGE)
tests_mirror_loader_test_LDADD = $(MIRROR_TEST_LIBS)
tests_mirror_nrtm_client_test_SOURCES = tests/mirror/nrtm_client_test.c tests/mirror/nrtm_watch_test.c \
    tests/mirror/client_lab.c tests/mirror/client_lab.h tests/log_lines.h $(FAKE_STORAGE) \
    tests/mirror/fake_net.c tests/mirror/fake_net.h
tests_mirror_nrtm_client_test_LDADD = $(MIRROR_TEST_LIBS)
tests_mirror_mirror_conf_test_SOURCES = tests/mirror/mirror_conf_test.c
tests_mirror_mirror_conf_test_LDADD = $(MIRROR_TEST_LIBS)
tests_mirror_registries_test_SOURCES = tests/mirror/registries_test.c
tests_mirror_registries_test_LDADD = $(MIRROR_TEST_LIBS)
tests_mirror_md5_sum_test_SOURCES = tests/mirror/md5_sum_test.c
tests_mirror_md5_sum_test_LDADD = $(MIRROR_TEST_LIBS)
tests_mirror_schedule_test_SOURCES = tests/mirror/schedule_test.c
tests_mirror_schedule_test_LDADD = $(MIRROR_TEST_LIBS)
tests_mirror_mirror_test_SOURCES = tests/mirror/mirror_test.c $(FAKE_STORAGE)
tests_mirror_mirror_test_LDADD = libmirror.a librpsl.a $(LINK_NET) $(ZLIB_LIBS) $(CURL_LIBS) $(CRYPTO_LIBS) $(CRITERION_LIBS)
check_PROGRAMS += $(mirror_tests)
TESTS += $(mirror_tests)

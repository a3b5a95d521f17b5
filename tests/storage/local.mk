# Criterion tests of src/storage; each links only what its folder may see.
check_PROGRAMS += tests/storage/tree_test
TESTS += tests/storage/tree_test
tests_storage_tree_test_SOURCES = tests/storage/tree_test.c
tests_storage_tree_test_LDADD = $(LINK_STORAGE) $(CRITERION_LIBS)
check_PROGRAMS += tests/storage/tree_readers_test
TESTS += tests/storage/tree_readers_test
tests_storage_tree_readers_test_SOURCES = tests/storage/tree_readers_test.c
tests_storage_tree_readers_test_LDADD = $(LINK_STORAGE)
check_PROGRAMS += tests/storage/index_test
TESTS += tests/storage/index_test
tests_storage_index_test_SOURCES = tests/storage/index_test.c
tests_storage_index_test_LDADD = $(LINK_STORAGE) $(CRITERION_LIBS)

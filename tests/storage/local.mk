# Criterion tests of src/storage; each links only what its folder may see. The readers' tests are plain programs, so that
# they run under the thread sanitizer.
index_tests = tests/storage/nodes_test \
    tests/storage/tree_test \
    tests/storage/tree_readers_test \
    tests/storage/texts_test \
    tests/storage/index_test \
    tests/storage/index_readers_test \
    tests/storage/bulk_test \
    tests/storage/checkpoint_test \
    tests/storage/ranges_test \
    tests/storage/order_test
check_PROGRAMS += $(index_tests)
TESTS += $(index_tests)
index_test_objects = tests/storage/objects.c tests/storage/objects.h
tests_storage_nodes_test_SOURCES = tests/storage/nodes_test.c
tests_storage_nodes_test_LDADD = $(LINK_STORAGE) $(CRITERION_LIBS)
tests_storage_tree_test_SOURCES = tests/storage/tree_test.c $(index_test_objects)
tests_storage_tree_test_LDADD = $(LINK_STORAGE) $(CRITERION_LIBS)
tests_storage_tree_readers_test_SOURCES = tests/storage/tree_readers_test.c $(index_test_objects)
tests_storage_tree_readers_test_LDADD = $(LINK_STORAGE)
tests_storage_texts_test_SOURCES = tests/storage/texts_test.c $(index_test_objects)
tests_storage_texts_test_LDADD = $(LINK_STORAGE) $(CRITERION_LIBS)
tests_storage_index_test_SOURCES = tests/storage/index_test.c $(index_test_objects)
tests_storage_index_test_LDADD = $(LINK_STORAGE) $(CRITERION_LIBS)
tests_storage_index_readers_test_SOURCES = tests/storage/index_readers_test.c $(index_test_objects)
tests_storage_index_readers_test_LDADD = $(LINK_STORAGE)
tests_storage_bulk_test_SOURCES = tests/storage/bulk_test.c $(index_test_objects)
tests_storage_bulk_test_LDADD = $(LINK_STORAGE) $(CRITERION_LIBS)
tests_storage_checkpoint_test_SOURCES = tests/storage/checkpoint_test.c $(index_test_objects)
tests_storage_checkpoint_test_LDADD = $(LINK_STORAGE) $(CRITERION_LIBS)
tests_storage_ranges_test_SOURCES = tests/storage/ranges_test.c $(index_test_objects)
tests_storage_ranges_test_LDADD = $(LINK_STORAGE) $(CRITERION_LIBS)
tests_storage_order_test_SOURCES = tests/storage/order_test.c $(index_test_objects)
tests_storage_order_test_LDADD = $(LINK_STORAGE) $(CRITERION_LIBS)

check_PROGRAMS += tests/storage/jdbc_test
TESTS += tests/storage/jdbc_test
tests_storage_jdbc_test_SOURCES = tests/storage/jdbc_test.c
tests_storage_jdbc_test_LDADD = $(LINK_STORAGE) $(CRITERION_LIBS)

# The tests that need MariaDB are one program, so that one private server serves them all.
check_PROGRAMS += tests/storage/mysql_test
TESTS += tests/storage/mysql_test
tests_storage_mysql_test_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_storage_mysql_test_SOURCES = tests/storage/database.c tests/storage/database.h tests/storage/updates.c tests/storage/updates.h tests/log_lines.h \
    tests/storage/acl_store_test.c tests/storage/batch_test.c tests/storage/history_test.c \
    tests/storage/load_test.c tests/storage/patience_test.c tests/storage/prune_test.c tests/storage/read_ahead_test.c tests/storage/source_checkpoint_test.c $(index_test_objects) \
    tests/storage/source_test.c tests/storage/sql_test.c
tests_storage_mysql_test_LDADD = $(LINK_STORAGE) $(CRITERION_LIBS)

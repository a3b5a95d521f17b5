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
check_PROGRAMS += tests/storage/jdbc_test
TESTS += tests/storage/jdbc_test
tests_storage_jdbc_test_SOURCES = tests/storage/jdbc_test.c
tests_storage_jdbc_test_LDADD = $(LINK_STORAGE) $(CRITERION_LIBS)

# The tests that need MariaDB are one program, so that one private server serves them all.
check_PROGRAMS += tests/storage/mysql_test
TESTS += tests/storage/mysql_test
tests_storage_mysql_test_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_storage_mysql_test_SOURCES = tests/storage/database.c tests/storage/database.h \
    tests/storage/batch_test.c tests/storage/source_test.c tests/storage/sql_test.c
tests_storage_mysql_test_LDADD = $(LINK_STORAGE) $(CRITERION_LIBS)

# Criterion tests of src/base; each links only what its folder may see.
BASE_TESTS = \
    tests/base/ahead_test \
    tests/base/arena_test \
    tests/base/background_test \
    tests/base/build_test \
    tests/base/clock_test \
    tests/base/crc_test \
    tests/base/err_test \
    tests/base/fault_test \
    tests/base/log_test \
    tests/base/merge_sort_test \
    tests/base/slice_test \
    tests/base/str_test
check_PROGRAMS += $(BASE_TESTS)
TESTS += $(BASE_TESTS)

tests_base_ahead_test_LDADD = $(LINK_BASE) $(CRITERION_LIBS)
tests_base_arena_test_LDADD = $(LINK_BASE) $(CRITERION_LIBS)
tests_base_background_test_LDADD = $(LINK_BASE) $(CRITERION_LIBS)
tests_base_build_test_LDADD = $(LINK_BASE) $(CRITERION_LIBS)
tests_base_clock_test_LDADD = $(LINK_BASE) $(CRITERION_LIBS)
tests_base_crc_test_LDADD = $(LINK_BASE) $(CRITERION_LIBS)
tests_base_err_test_LDADD = $(LINK_BASE) $(CRITERION_LIBS)
tests_base_fault_test_LDADD = $(LINK_BASE) $(CRITERION_LIBS)
tests_base_log_test_LDADD = $(LINK_BASE) $(CRITERION_LIBS)
tests_base_merge_sort_test_LDADD = $(LINK_BASE) $(CRITERION_LIBS)
tests_base_slice_test_LDADD = $(LINK_BASE) $(CRITERION_LIBS)
tests_base_str_test_LDADD = $(LINK_BASE) $(CRITERION_LIBS)

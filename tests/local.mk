# Criterion tests of what stands beside main.c.
check_PROGRAMS += tests/control_test tests/process_test
TESTS += tests/control_test tests/process_test
tests_control_test_SOURCES = tests/control_test.c src/control.c src/control.h
tests_control_test_LDADD = $(LINK_BASE) $(CRITERION_LIBS)
tests_process_test_SOURCES = tests/process_test.c src/process.c src/process.h
tests_process_test_LDADD = $(LINK_BASE) $(CRITERION_LIBS)

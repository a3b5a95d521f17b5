# Criterion tests of what stands beside main.c.
check_PROGRAMS += tests/control_test
TESTS += tests/control_test
tests_control_test_SOURCES = tests/control_test.c src/control.c src/control.h
tests_control_test_LDADD = $(LINK_BASE) $(CRITERION_LIBS)

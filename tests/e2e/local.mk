# Whole-process scenarios, each a program with a private MariaDB of its own. `make check` runs them in
# their short form; with E2E_LONG=1 in the environment they take longer and see more.
e2e_scenarios = tests/e2e/service.py tests/e2e/bad_input.py tests/e2e/end_state.py \
    tests/e2e/snapshots.py tests/e2e/procedure.sh tests/e2e/golden.py tests/e2e/access.py \
    tests/e2e/healing.py tests/e2e/mirrors.py tests/e2e/manual.py tests/e2e/faults.py
TESTS += $(e2e_scenarios)
EXTRA_DIST += $(e2e_scenarios) tests/e2e/soak.py tests/e2e/harness.py tests/e2e/oracle.py tests/check.sh \
    tests/upstream/upstream.py tests/upstream/dialects.py tests/upstream/changes.py tests/upstream/dumps.py tests/data
AM_TESTS_ENVIRONMENT = WHOISD='$(abs_top_builddir)/whoisd'; export WHOISD;

# What takes hours: the faults in full, then an hour of updates with clients that do not read.
.PHONY: soak
soak: whoisd
	E2E_SOAK=1 WHOISD='$(abs_top_builddir)/whoisd' $(srcdir)/tests/e2e/faults.py
	WHOISD='$(abs_top_builddir)/whoisd' $(srcdir)/tests/e2e/soak.py

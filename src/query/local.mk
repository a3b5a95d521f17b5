noinst_LIBRARIES += libquery.a
libquery_a_CFLAGS = $(AM_CFLAGS) $(PCRE2_CFLAGS)
libquery_a_SOURCES =

noinst_LIBRARIES += librpsl.a
librpsl_a_CFLAGS = $(AM_CFLAGS)
librpsl_a_SOURCES =

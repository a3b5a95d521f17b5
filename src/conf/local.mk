noinst_LIBRARIES += libconf.a
libconf_a_CFLAGS = $(AM_CFLAGS)
libconf_a_SOURCES =

noinst_LIBRARIES += libconf.a
libconf_a_CFLAGS = $(AM_CFLAGS)
libconf_a_SOURCES = \
    src/conf/conf.c src/conf/conf.h \
    src/conf/parsers.c \
    src/conf/properties.c src/conf/properties.h

noinst_LIBRARIES += librpsl.a
librpsl_a_CFLAGS = $(AM_CFLAGS)
librpsl_a_SOURCES = \
    src/rpsl/attributes.h src/rpsl/classes.h src/rpsl/templates.h \
    src/rpsl/schema.c src/rpsl/schema.h

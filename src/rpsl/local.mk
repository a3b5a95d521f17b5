noinst_LIBRARIES += librpsl.a
librpsl_a_CFLAGS = $(AM_CFLAGS)
librpsl_a_SOURCES = \
    src/rpsl/attributes.h src/rpsl/classes.h src/rpsl/templates.h \
    src/rpsl/schema.c src/rpsl/schema.h \
    src/rpsl/charset.c src/rpsl/charset.h src/rpsl/charset_table.h \
    src/rpsl/fold.c src/rpsl/fold.h src/rpsl/fold_table.h \
    src/rpsl/ip.c src/rpsl/ip.h \
    src/rpsl/object.c src/rpsl/object.h \
    src/rpsl/key.c \
    src/rpsl/index_values.c \
    src/rpsl/layout.c src/rpsl/layout.h \
    src/rpsl/dummify.c src/rpsl/dummify.h \
    src/rpsl/policy.c src/rpsl/policy.h \
    src/rpsl/policy_tokens.c src/rpsl/policy_tokens.h \
    src/rpsl/syntax.c src/rpsl/syntax.h \
    src/rpsl/syntax_values.c src/rpsl/syntax_values.h

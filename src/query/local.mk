noinst_LIBRARIES += libquery.a
libquery_a_CFLAGS = $(AM_CFLAGS) $(PCRE2_CFLAGS)
libquery_a_SOURCES = \
    src/query/acl.c src/query/acl.h \
    src/query/addresses.c src/query/addresses.h \
    src/query/answer.c src/query/answer.h src/query/answer_object.c src/query/answer_object.h \
    src/query/check.c src/query/check.h \
    src/query/descriptions.h \
    src/query/diff.c src/query/diff.h \
    src/query/flags.h \
    src/query/follow.c src/query/follow.h \
    src/query/info.c src/query/info.h \
    src/query/item.c src/query/item.h \
    src/query/key.c src/query/key.h \
    src/query/line.c src/query/line.h \
    src/query/messages.c src/query/messages.h \
    src/query/parse.c src/query/parse.h \
    src/query/print.c src/query/print.h \
    src/query/search.c src/query/search.h \
    src/query/search_accept.c \
    src/query/search_inverse.c \
    src/query/server.c src/query/server.h \
    src/query/session.c src/query/session.h \
    src/query/settings.c src/query/settings.h \
    src/query/source.c src/query/source.h \
    src/query/versions.c src/query/versions.h

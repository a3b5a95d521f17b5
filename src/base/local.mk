noinst_LIBRARIES += libbase.a
libbase_a_CFLAGS = $(AM_CFLAGS)
libbase_a_SOURCES = \
    src/base/ahead.c src/base/ahead.h \
    src/base/arena.c src/base/arena.h \
    src/base/background.c src/base/background.h \
    src/base/build.c src/base/build.h \
    src/base/clock.c src/base/clock.h \
    src/base/crc.c src/base/crc.h \
    src/base/err.c src/base/err.h \
    src/base/fault.c src/base/fault.h \
    src/base/log.c src/base/log.h \
    src/base/merge_sort.c src/base/merge_sort.h \
    src/base/slice.c src/base/slice.h \
    src/base/str.c src/base/str.h

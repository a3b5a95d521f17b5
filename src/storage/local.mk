noinst_LIBRARIES += libstorage.a
libstorage_a_CFLAGS = $(AM_CFLAGS) $(MYSQL_CFLAGS) $(ZSTD_CFLAGS)
libstorage_a_SOURCES =
libstorage_a_SOURCES += src/storage/bytes.h
libstorage_a_SOURCES += src/storage/nodes.c src/storage/nodes.h
libstorage_a_SOURCES += src/storage/pins.c src/storage/pins.h
libstorage_a_SOURCES += src/storage/tree.c src/storage/tree.h

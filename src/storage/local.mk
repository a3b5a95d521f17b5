noinst_LIBRARIES += libstorage.a
libstorage_a_CFLAGS = $(AM_CFLAGS) $(MYSQL_CFLAGS) $(ZSTD_CFLAGS)
libstorage_a_SOURCES =

noinst_LIBRARIES += libmirror.a
libmirror_a_CFLAGS = $(AM_CFLAGS) $(ZLIB_CFLAGS) $(CURL_CFLAGS)
libmirror_a_SOURCES =

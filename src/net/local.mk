noinst_LIBRARIES += libnet.a
libnet_a_CFLAGS = $(AM_CFLAGS)
libnet_a_SOURCES =

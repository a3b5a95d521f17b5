noinst_LIBRARIES += libnet.a
libnet_a_CFLAGS = $(AM_CFLAGS)
libnet_a_SOURCES = \
    src/net/conn.c src/net/conn.h \
    src/net/connect.c \
    src/net/internal.h \
    src/net/line_end.c src/net/line_end.h \
    src/net/limits.c \
    src/net/listener.c src/net/listener.h \
    src/net/loop.c src/net/loop.h \
    src/net/pool.c src/net/pool.h \
    src/net/proxy_header.c src/net/proxy_header.h \
    src/net/socket.c \
    src/net/spare.c src/net/spare.h

noinst_LIBRARIES += libmirror.a
libmirror_a_CFLAGS = $(AM_CFLAGS) $(ZLIB_CFLAGS) $(CURL_CFLAGS) $(CRYPTO_CFLAGS)
libmirror_a_SOURCES = \
    src/mirror/download.c src/mirror/download.h \
    src/mirror/dump.c src/mirror/dump.h \
    src/mirror/fetch.c src/mirror/fetch.h \
    src/mirror/export.c src/mirror/export.h \
    src/mirror/input.c src/mirror/input.h \
    src/mirror/intake.c src/mirror/intake.h \
    src/mirror/loader.c src/mirror/loader.h \
    src/mirror/md5_sum.c src/mirror/md5_sum.h \
    src/mirror/mirror.c src/mirror/mirror.h src/mirror/member.h src/mirror/mirror_conf.c \
    src/mirror/mirror_status.c \
    src/mirror/quarantine.c src/mirror/quarantine.h src/mirror/refresh.c \
    src/mirror/registries.c src/mirror/registries.h \
    src/mirror/schedule.c src/mirror/schedule.h \
    src/mirror/nrtm_client.c src/mirror/nrtm_client.h src/mirror/nrtm_client_parts.h \
    src/mirror/nrtm_end.c \
    src/mirror/nrtm_probe.c src/mirror/nrtm_probe.h \
    src/mirror/nrtm_reply.c src/mirror/nrtm_reply.h \
    src/mirror/nrtm_retry.c src/mirror/nrtm_retry.h \
    src/mirror/nrtm_session.c src/mirror/nrtm_session.h \
    src/mirror/nrtm_stream.c src/mirror/nrtm_stream.h \
    src/mirror/notice.c src/mirror/notice.h \
    src/mirror/paragraph.c src/mirror/paragraph.h \
    src/mirror/status_file.c src/mirror/status_file.h

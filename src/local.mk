bin_PROGRAMS += whoisd
whoisd_SOURCES = src/main.c src/acl_keeper.c src/acl_keeper.h src/configuration.c \
    src/configuration.h src/daemon.c src/daemon.h src/commands.c src/commands.h \
    src/process.c src/process.h src/control.c src/control.h src/status.c src/status.h
whoisd_LDADD = libquery.a libmirror.a libstorage.a libnet.a librpsl.a libconf.a libbase.a \
    $(MYSQL_LIBS) $(ZSTD_LIBS) $(ZLIB_LIBS) $(CURL_LIBS) $(CRYPTO_LIBS) $(PCRE2_LIBS) $(EV_LIBS)

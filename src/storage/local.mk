noinst_LIBRARIES += libstorage.a
libstorage_a_CFLAGS = $(AM_CFLAGS) $(MYSQL_CFLAGS) $(ZSTD_CFLAGS)
libstorage_a_SOURCES =
libstorage_a_SOURCES += src/storage/bytes.h
libstorage_a_SOURCES += src/storage/pages.c src/storage/pages.h
libstorage_a_SOURCES += src/storage/nodes.c src/storage/nodes.h
libstorage_a_SOURCES += src/storage/pins.c src/storage/pins.h
libstorage_a_SOURCES += src/storage/tree.c src/storage/tree.h
libstorage_a_SOURCES += src/storage/texts.c src/storage/texts.h
libstorage_a_SOURCES += src/storage/checksum.c src/storage/checksum.h
libstorage_a_SOURCES += src/storage/entries.c src/storage/entries.h
libstorage_a_SOURCES += src/storage/order.c src/storage/order.h
libstorage_a_SOURCES += src/storage/sort.c src/storage/sort.h
libstorage_a_SOURCES += src/storage/version.h
libstorage_a_SOURCES += src/storage/index.c src/storage/index.h
libstorage_a_SOURCES += src/storage/bulk.c
libstorage_a_SOURCES += src/storage/housekeeping.c
libstorage_a_SOURCES += src/storage/checkpoint.c src/storage/checkpoint.h \
    src/storage/checkpoint_read.c src/storage/checkpoint_format.h
libstorage_a_SOURCES += src/storage/snapshot.c src/storage/snapshot.h
libstorage_a_SOURCES += src/storage/reader.c
libstorage_a_SOURCES += src/storage/ranges.c src/storage/walk.c src/storage/walk.h
libstorage_a_SOURCES += \
    src/storage/acl_store.c src/storage/acl_store.h src/storage/batch.c \
    src/storage/history.c src/storage/history.h src/storage/jdbc.c \
    src/storage/load.c src/storage/load_parts.h src/storage/reload.c \
    src/storage/operators.c src/storage/position.c src/storage/prune.c src/storage/quarantine.c \
    src/storage/read_ahead.c src/storage/read_ahead.h src/storage/rebuild.c src/storage/room.c \
    src/storage/rows.c src/storage/source.c src/storage/source.h src/storage/source_checkpoint.c \
    src/storage/source_parts.h \
    src/storage/sql.c src/storage/sql.h src/storage/tables.c

# The tables' one truth is etc/*schema.sql; the program carries copies.
EXTRA_DIST += etc/schema.sql etc/acl_schema.sql
CLEANFILES += src/storage/schema_sql.h src/storage/acl_schema_sql.h
src/storage/libstorage_a-tables.$(OBJEXT): src/storage/schema_sql.h
src/storage/libstorage_a-acl_store.$(OBJEXT): src/storage/acl_schema_sql.h
src/storage/schema_sql.h: etc/schema.sql
src/storage/acl_schema_sql.h: etc/acl_schema.sql
src/storage/schema_sql.h src/storage/acl_schema_sql.h:
	@$(MKDIR_P) src/storage
	$(AM_V_GEN)name=$$(basename $@ _sql.h); (echo "static const char $${name}_sql[] ="; \
	  sed -e '/^--/d' -e 's/[\\"]/\\&/g' -e 's/.*/    "&\\n"/' $(top_srcdir)/etc/$$name.sql; \
	  echo '    ;') >$@.new && mv $@.new $@

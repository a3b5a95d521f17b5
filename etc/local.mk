# Installed files. The whois root of an installation is $(sysconfdir)/whoisd: the properties file and
# whois.init are there, and its var/ is a link to $(localstatedir)/lib/whoisd.
whoisdir = $(sysconfdir)/whoisd
whoisstatedir = $(localstatedir)/lib/whoisd
unitdir = $(prefix)/lib/systemd/system
logrotatedir = $(sysconfdir)/logrotate.d

dist_whois_SCRIPTS = etc/whois.init
dist_whois_DATA = etc/whois.properties.example
unit_DATA = etc/whoisd.service
EXTRA_DIST += etc/whoisd.service.in etc/whoisd.logrotate.in etc/private-mariadb.sh \
    etc/functions.sh quickstart.sh
CLEANFILES += etc/whoisd.service etc/whoisd.logrotate

etc/whoisd.service: etc/whoisd.service.in Makefile
	$(fill_in_directories)
etc/whoisd.logrotate: etc/whoisd.logrotate.in Makefile
	$(fill_in_directories)
fill_in_directories = $(AM_V_GEN)$(MKDIR_P) etc && sed -e 's|@bindir[@]|$(bindir)|g' \
    -e 's|@sysconfdir[@]|$(sysconfdir)|g' -e 's|@localstatedir[@]|$(localstatedir)|g' \
    $(srcdir)/$@.in > $@

all-local: etc/whoisd.logrotate

install-data-local: etc/whoisd.logrotate
	$(MKDIR_P) '$(DESTDIR)$(logrotatedir)' '$(DESTDIR)$(whoisdir)' '$(DESTDIR)$(whoisstatedir)'
	$(INSTALL_DATA) etc/whoisd.logrotate '$(DESTDIR)$(logrotatedir)/whoisd'
	test -h '$(DESTDIR)$(whoisdir)/var' || test -e '$(DESTDIR)$(whoisdir)/var' || \
	    $(LN_S) '$(whoisstatedir)' '$(DESTDIR)$(whoisdir)/var'
	if test -z '$(DESTDIR)' && test "`id -u`" = 0; then \
	    id whoisd >/dev/null 2>&1 || useradd --system --user-group --no-create-home \
	        --home-dir '$(whoisstatedir)' --shell /usr/sbin/nologin whoisd; \
	    chown whoisd:whoisd '$(whoisstatedir)'; \
	fi

uninstall-local:
	rm -f '$(DESTDIR)$(logrotatedir)/whoisd' '$(DESTDIR)$(whoisdir)/var'

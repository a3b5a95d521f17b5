# The manual pages. tests/e2e/manual.py holds them to what the program does.
dist_man_MANS = man/whoisd.8 man/whois.properties.5 man/whois-queries.7

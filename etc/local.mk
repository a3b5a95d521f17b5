# Installed files: init script, unit, logrotate, sample properties, SQL schema.

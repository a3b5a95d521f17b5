-- The tables of access control (acl.database.url). whoisd holds a copy of this file and runs it at every start;
-- `mysql ACL_LOCAL < acl_schema.sql` does the same by hand. Names and columns are the reference server's, so that
-- operators' SQL works; acl_personal is whoisd's own.
--
-- prefix: any notation of an address, a prefix or a range: 192.0.2.7/32, 2001:db8::/64. The smallest one that holds a
-- client decides.

-- Clients that are refused for good. An operator's rows take effect when the tables are read next (acl.refresh.sec).
CREATE TABLE IF NOT EXISTS acl_denied (
    prefix varchar(50) NOT NULL,
    comment text DEFAULT NULL,
    denied_date date DEFAULT NULL,
    PRIMARY KEY (prefix)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

-- What was decided when. BLOCK_TEMPORARY: went past its daily limit that day; BLOCK_PERMANENTLY: was put into
-- acl_denied; UNBLOCK: an operator's, after which older blocks do not count.
CREATE TABLE IF NOT EXISTS acl_event (
    prefix varchar(50) NOT NULL,
    event_time timestamp NOT NULL DEFAULT current_timestamp(),
    daily_limit int NOT NULL DEFAULT 0,
    event_type varchar(20) NOT NULL,
    PRIMARY KEY (prefix, event_time)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

-- daily_limit: personal objects per day, negative: any number. unlimited_connections: whois.limit.connectionsPerIp
-- does not hold.
CREATE TABLE IF NOT EXISTS acl_limit (
    prefix varchar(50) NOT NULL,
    daily_limit int NOT NULL DEFAULT -1,
    comment text DEFAULT NULL,
    unlimited_connections bit(1) NOT NULL DEFAULT b'0',
    PRIMARY KEY (prefix)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

-- Who may ask for others (-V tag,address).
CREATE TABLE IF NOT EXISTS acl_proxy (
    prefix varchar(50) NOT NULL,
    comment text DEFAULT NULL,
    PRIMARY KEY (prefix)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

-- Personal objects given to a client on a day (UTC), by all servers that share this database.
CREATE TABLE IF NOT EXISTS acl_personal (
    prefix varchar(50) NOT NULL,
    count_date date NOT NULL,
    objects bigint unsigned NOT NULL DEFAULT 0,
    changed timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(),
    PRIMARY KEY (prefix, count_date),
    KEY changed (changed)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

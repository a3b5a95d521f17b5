-- The tables of one source's database. whoisd holds a copy of this file and runs it in a database that lacks them;
-- `mysql WHOIS_MIRROR_RIPE_GRS < schema.sql` does the same by hand. Columns of the first five are the reference
-- server's, so that operators' SQL works; those that begin with nrtm_ are private.

-- One row per object that ever existed: sequence_id counts its versions; 0 means deleted (object is then empty).
CREATE TABLE IF NOT EXISTS last (
    object_id int unsigned NOT NULL AUTO_INCREMENT,
    sequence_id int unsigned NOT NULL DEFAULT 1,
    timestamp int unsigned NOT NULL DEFAULT 0,
    object_type tinyint unsigned NOT NULL DEFAULT 0,
    object longblob NOT NULL,
    pkey varchar(254) NOT NULL DEFAULT '',
    PRIMARY KEY (object_id),
    KEY last_pkey (pkey),
    KEY object_type_index (object_type)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

-- Superseded versions, each with the time it was made. The reference has keys on pkey and timestamp too; they would
-- cost every update a fifth, and versions are looked up by object_id.
CREATE TABLE IF NOT EXISTS history (
    object_id int unsigned NOT NULL DEFAULT 0,
    sequence_id int unsigned NOT NULL DEFAULT 0,
    timestamp int unsigned NOT NULL DEFAULT 0,
    object_type tinyint unsigned NOT NULL DEFAULT 0,
    object longblob NOT NULL,
    pkey varchar(254) NOT NULL DEFAULT '',
    PRIMARY KEY (object_id, sequence_id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

-- The mirror's position is max(serial_id). operation: 1 added or changed, 2 deleted. atlast: 1 = the version is in
-- `last`, 0 = it is in `history`, or the row is a deletion.
CREATE TABLE IF NOT EXISTS serials (
    serial_id int NOT NULL AUTO_INCREMENT,
    object_id int unsigned NOT NULL DEFAULT 0,
    sequence_id int unsigned NOT NULL DEFAULT 0,
    atlast tinyint unsigned NOT NULL DEFAULT 0,
    operation tinyint unsigned NOT NULL DEFAULT 0,
    PRIMARY KEY (serial_id),
    KEY object (object_id, sequence_id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

-- Its one row is locked by every writer.
CREATE TABLE IF NOT EXISTS update_lock (
    global_lock int NOT NULL,
    PRIMARY KEY (global_lock)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE IF NOT EXISTS version (
    version varchar(80) NOT NULL,
    PRIMARY KEY (version)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

-- Where the mirror stands. applied: max(serial_id) as whoisd last saw it; another value in `serials` is an operator's
-- edit. hw: every source serial up to it is in. generation: changes whenever objects change without a serial.
-- batch: drawn anew by every transaction, to tell whether a COMMIT whose answer was lost took place.
-- boot_serial: of the dump; NULL: unknown. bulk_end: objects with an id below it came with a bulk load; their version 1
-- has no row in `serials`. pruned: rows of `serials` up to it may be missing, and what they superseded in `history`.
-- fresh_time: when the mirror was last known to be up to date, within a minute; 0: never.
CREATE TABLE IF NOT EXISTS nrtm_state (
    mirror varchar(64) NOT NULL,
    source varchar(64) NOT NULL DEFAULT '',
    host varchar(255) NOT NULL DEFAULT '',
    port int NOT NULL DEFAULT 0,
    version int NOT NULL DEFAULT 0,
    hw bigint NOT NULL DEFAULT 0,
    hw_time bigint NOT NULL DEFAULT 0,
    applied bigint NOT NULL DEFAULT 0,
    generation bigint unsigned NOT NULL DEFAULT 0,
    batch bigint unsigned NOT NULL DEFAULT 0,
    loading tinyint NOT NULL DEFAULT 0,
    last_start_first bigint NOT NULL DEFAULT 0,
    last_start_last bigint NOT NULL DEFAULT 0,
    boot_serial bigint NULL,
    boot_time bigint NOT NULL DEFAULT 0,
    bulk_end int unsigned NOT NULL DEFAULT 0,
    pruned bigint NOT NULL DEFAULT 0,
    fresh_time bigint NOT NULL DEFAULT 0,
    filtered tinyint NOT NULL DEFAULT 0,
    state varchar(40) NOT NULL DEFAULT '',
    last_error varchar(600) NOT NULL DEFAULT '',
    last_error_time bigint NOT NULL DEFAULT 0,
    source_min bigint NOT NULL DEFAULT 0,
    source_max bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (mirror)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

-- Databases made before lack these.
ALTER TABLE nrtm_state ADD COLUMN IF NOT EXISTS pruned bigint NOT NULL DEFAULT 0;
ALTER TABLE nrtm_state ADD COLUMN IF NOT EXISTS fresh_time bigint NOT NULL DEFAULT 0;

-- A row for each checkpoint of the index: committed at its position, so that a database without the row is not the one
-- that the checkpoint was taken of, or was restored to a state before it.
CREATE TABLE IF NOT EXISTS nrtm_checkpoint (
    id bigint unsigned NOT NULL,
    mirror varchar(64) NOT NULL,
    serial bigint NOT NULL,
    time bigint NOT NULL,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

-- What could not be parsed or stored, as received. operation as in `serials`; serial 0: from a dump.
CREATE TABLE IF NOT EXISTS nrtm_quarantine (
    id bigint unsigned NOT NULL AUTO_INCREMENT,
    mirror varchar(64) NOT NULL,
    serial bigint NOT NULL,
    operation tinyint unsigned NOT NULL,
    raw longblob NOT NULL,
    reason varchar(600) NOT NULL,
    time bigint NOT NULL,
    PRIMARY KEY (id),
    KEY serial (serial)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

INSERT IGNORE INTO update_lock VALUES (0);
INSERT INTO version SELECT 'whois-1.115' FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM version);

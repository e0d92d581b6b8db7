-- Times are ms since 1970 on the server's own clock; hashes are lower-case hex; JSON is text.

CREATE TABLE server_meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE cluster (
  cluster_id             TEXT PRIMARY KEY,
  name                   TEXT NOT NULL UNIQUE,
  state_kind             TEXT NOT NULL CHECK (state_kind IN ('persistent', 'ephemeral')),
  expected_control_plane INTEGER NOT NULL CHECK (expected_control_plane BETWEEN 1 AND 9),
  held                   INTEGER NOT NULL CHECK (held IN (0, 1)),
  settings               TEXT NOT NULL,
  created_at_ms          INTEGER NOT NULL,
  founding               TEXT NOT NULL DEFAULT 'open'
    CHECK (founding IN ('open', 'granted', 'doubtful', 'founded', 'lost', 'frozen', 'closed')),
  epoch                  INTEGER NOT NULL DEFAULT 0,
  next_epoch             INTEGER NOT NULL DEFAULT 1,
  holder_machine_id      TEXT,
  holder_boot_id         TEXT,
  reserved_for           TEXT,
  founded_at_ms          INTEGER,
  probe                  TEXT CHECK (probe IN ('leader-quorum', 'no-leader', 'two-leaders', 'unreachable')),
  probed_at_ms           INTEGER,
  leader_url             TEXT,
  flaredb_leader_url     TEXT,
  CHECK (epoch < next_epoch)
) STRICT;

CREATE TABLE image (
  image_id      TEXT PRIMARY KEY,
  name          TEXT NOT NULL,
  version       TEXT NOT NULL,
  architecture  TEXT NOT NULL CHECK (architecture IN ('x86_64', 'arm64')),
  init          TEXT NOT NULL,
  parameters    TEXT NOT NULL,
  files         TEXT NOT NULL,
  directory     TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE machine (
  machine_id       TEXT PRIMARY KEY,
  name             TEXT NOT NULL UNIQUE,
  uuid             TEXT,
  serial           TEXT,
  role             TEXT NOT NULL CHECK (role IN ('control-plane', 'worker')),
  state            TEXT NOT NULL CHECK (state IN (
    'discovered', 'enrolled', 'armed', 'booting', 'first-boot', 'installed', 'ready', 'failed', 'held')),
  cluster_id       TEXT REFERENCES cluster (cluster_id),
  image_id         TEXT REFERENCES image (image_id),
  boot_mode        TEXT NOT NULL CHECK (boot_mode IN ('netboot', 'install', 'local')),
  local_boot       TEXT NOT NULL CHECK (local_boot IN ('exit', 'sanboot', 'not-found')),
  loader           TEXT,
  reserved_address TEXT UNIQUE,
  armed_until_ms   INTEGER,
  current_boot_id  TEXT,
  created_at_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX machine_by_cluster ON machine (cluster_id);

CREATE TABLE machine_mac (
  mac        TEXT PRIMARY KEY,
  machine_id TEXT NOT NULL REFERENCES machine (machine_id) ON DELETE CASCADE,
  position   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX machine_mac_by_machine ON machine_mac (machine_id, position);

-- One row a client and subnet; an ended lease stays, so that the client gets its old address again.
CREATE TABLE lease (
  subnet        TEXT NOT NULL,
  mac           TEXT NOT NULL,
  address       TEXT NOT NULL,
  address_no    INTEGER NOT NULL,
  state         TEXT NOT NULL CHECK (state IN ('active', 'released')),
  granted_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  client_id     TEXT,
  PRIMARY KEY (subnet, mac)
) STRICT, WITHOUT ROWID;
CREATE INDEX lease_by_address ON lease (address, expires_at_ms);
CREATE INDEX lease_by_expiry ON lease (subnet, expires_at_ms, address_no);

CREATE TABLE quarantine (
  subnet   TEXT NOT NULL,
  address  TEXT NOT NULL,
  until_ms INTEGER NOT NULL,
  why      TEXT NOT NULL,
  PRIMARY KEY (subnet, address)
) STRICT, WITHOUT ROWID;

CREATE TABLE boot_attempt (
  boot_id           TEXT PRIMARY KEY,
  machine_id        TEXT NOT NULL REFERENCES machine (machine_id) ON DELETE CASCADE,
  status            TEXT NOT NULL CHECK (status IN ('tentative', 'current', 'superseded')),
  stage             TEXT NOT NULL,
  started_at_ms     INTEGER NOT NULL,
  heard_at_ms       INTEGER NOT NULL,
  ended_at_ms       INTEGER,
  ending            TEXT CHECK (ending IN ('ready', 'failed', 'local', 'parked', 'superseded', 'abandoned')),
  pass_epoch        INTEGER,
  architecture      INTEGER,
  loader_sent_at_ms INTEGER,
  clock_skew_ms     INTEGER,
  begun_seq         INTEGER NOT NULL
) STRICT;
CREATE INDEX boot_attempt_by_machine ON boot_attempt (machine_id, begun_seq);

CREATE TABLE stage (
  boot_id       TEXT NOT NULL REFERENCES boot_attempt (boot_id) ON DELETE CASCADE,
  stage         TEXT NOT NULL,
  entered_at_ms INTEGER NOT NULL,
  bytes         INTEGER NOT NULL,
  retries       INTEGER NOT NULL,
  PRIMARY KEY (boot_id, stage)
) STRICT, WITHOUT ROWID;

CREATE TABLE step (
  boot_id       TEXT NOT NULL REFERENCES boot_attempt (boot_id) ON DELETE CASCADE,
  step          TEXT NOT NULL,
  state         TEXT NOT NULL CHECK (state IN ('waiting', 'started', 'succeeded', 'failed')),
  sequence      INTEGER NOT NULL,
  slot_no       INTEGER,
  reason        TEXT NOT NULL,
  started_at_ms INTEGER,
  ended_at_ms   INTEGER,
  PRIMARY KEY (boot_id, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE boot_token (
  token_sha256  TEXT PRIMARY KEY,
  boot_id       TEXT NOT NULL REFERENCES boot_attempt (boot_id) ON DELETE CASCADE,
  machine_id    TEXT NOT NULL,
  address       TEXT NOT NULL,
  minted_at_ms  INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  cap_ms        INTEGER NOT NULL,
  spent_at_ms   INTEGER,
  revoked_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX boot_token_by_boot ON boot_token (boot_id, minted_at_ms);
CREATE INDEX boot_token_by_machine ON boot_token (machine_id);

-- What was handed out, kept for ever; the sealed text only until the first report.
CREATE TABLE redemption (
  boot_id        TEXT PRIMARY KEY,
  cluster_id     TEXT NOT NULL REFERENCES cluster (cluster_id),
  epoch          INTEGER,
  bootstrap      INTEGER NOT NULL CHECK (bootstrap IN (0, 1)),
  nonce          TEXT NOT NULL,
  address        TEXT NOT NULL,
  config_sha256  TEXT NOT NULL,
  config_sealed  BLOB,
  redeemed_at_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_bootstrap_per_epoch ON redemption (cluster_id, epoch) WHERE bootstrap = 1;

CREATE TABLE member (
  cluster_id   TEXT NOT NULL REFERENCES cluster (cluster_id),
  service      TEXT NOT NULL CHECK (service IN ('chainfire', 'flaredb')),
  machine_id   TEXT NOT NULL,
  incarnation  INTEGER NOT NULL,
  member_id    TEXT NOT NULL,
  address      TEXT NOT NULL,
  voter        INTEGER NOT NULL CHECK (voter IN (0, 1)),
  epoch        INTEGER NOT NULL,
  boot_id      TEXT NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('joining', 'member', 'removing', 'removed', 'lost')),
  confirmed_by TEXT CHECK (confirmed_by IN ('report', 'list')),
  PRIMARY KEY (cluster_id, service, machine_id, incarnation)
) STRICT, WITHOUT ROWID;

CREATE TABLE service_founding (
  cluster_id TEXT NOT NULL REFERENCES cluster (cluster_id),
  service    TEXT NOT NULL CHECK (service IN ('flaredb', 'iam')),
  state      TEXT NOT NULL CHECK (state IN ('none', 'granted', 'done')),
  epoch      INTEGER NOT NULL,
  machine_id TEXT,
  slot_no    INTEGER,
  PRIMARY KEY (cluster_id, service)
) STRICT, WITHOUT ROWID;

CREATE TABLE join_slot (
  cluster_id  TEXT NOT NULL REFERENCES cluster (cluster_id),
  step        TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('free', 'held', 'suspect', 'server')),
  action      TEXT,
  machine_id  TEXT,
  boot_id     TEXT,
  member_id   TEXT,
  epoch       INTEGER,
  slot_no     INTEGER NOT NULL,
  heard_at_ms INTEGER,
  failures    INTEGER NOT NULL,
  PRIMARY KEY (cluster_id, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE slot_queue (
  arrived_seq INTEGER PRIMARY KEY AUTOINCREMENT,
  cluster_id  TEXT NOT NULL REFERENCES cluster (cluster_id),
  step        TEXT NOT NULL,
  machine_id  TEXT NOT NULL,
  boot_id     TEXT NOT NULL,
  UNIQUE (cluster_id, step, machine_id)
) STRICT;

CREATE TABLE cluster_secret (
  cluster_id TEXT NOT NULL REFERENCES cluster (cluster_id),
  name       TEXT NOT NULL,
  sealed     BLOB NOT NULL,
  PRIMARY KEY (cluster_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms      INTEGER NOT NULL,
  type       TEXT NOT NULL,
  machine_id TEXT,
  cluster_id TEXT,
  boot_id    TEXT,
  data       TEXT NOT NULL
) STRICT;

CREATE TABLE api_token (
  token_sha256  TEXT PRIMARY KEY,
  name          TEXT NOT NULL UNIQUE,
  role          TEXT NOT NULL CHECK (role IN ('admin', 'operator', 'viewer')),
  created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

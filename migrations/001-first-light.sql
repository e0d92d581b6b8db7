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
  hold_step              TEXT,
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
  frozen_from            TEXT CHECK (frozen_from IN ('open', 'granted', 'doubtful', 'founded', 'lost')),
  frozen_by              TEXT CHECK (frozen_by IN ('leader-there', 'bound-boot', 'two-leaders', 'restore', 'take-over')),
  incarnation_floor      INTEGER NOT NULL DEFAULT 0,
  rearm_paused           INTEGER NOT NULL DEFAULT 0 CHECK (rearm_paused IN (0, 1)),
  probe                  TEXT CHECK (probe IN ('leader-quorum', 'no-leader', 'two-leaders', 'unreachable')),
  probed_at_ms           INTEGER,
  leader_url             TEXT,
  flaredb_leader_url     TEXT,
  leader_seen_at_ms      INTEGER,
  two_leaders_at_ms      INTEGER,
  probe_groups           TEXT,
  reported_leaders       TEXT,
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
  created_at_ms INTEGER NOT NULL,
  state         TEXT NOT NULL CHECK (state IN ('available', 'withdrawn', 'retired')),
  state_reason  TEXT
) STRICT;

CREATE TABLE image_version (
  name          TEXT NOT NULL,
  version       TEXT NOT NULL,
  image_id      TEXT NOT NULL REFERENCES image (image_id) ON DELETE CASCADE,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_version_by_image ON image_version (image_id);

-- The last one of a name that was not rolled back is what machines which are assigned the name boot.
CREATE TABLE promotion (
  seq               INTEGER PRIMARY KEY AUTOINCREMENT,
  name              TEXT NOT NULL,
  version           TEXT NOT NULL,
  image_id          TEXT NOT NULL REFERENCES image (image_id) ON DELETE CASCADE,
  promoted_at_ms    INTEGER NOT NULL,
  rolled_back_at_ms INTEGER
) STRICT;
CREATE INDEX promotion_by_name ON promotion (name, seq);

CREATE TABLE machine (
  machine_id       TEXT PRIMARY KEY,
  name             TEXT NOT NULL UNIQUE,
  uuid             TEXT,
  serial           TEXT,
  role             TEXT NOT NULL CHECK (role IN ('control-plane', 'worker', 'all-in-one')),
  state            TEXT NOT NULL CHECK (state IN (
    'discovered', 'enrolled', 'armed', 'booting', 'first-boot', 'installed', 'ready', 'failed', 'held')),
  cluster_id       TEXT REFERENCES cluster (cluster_id),
  image_id         TEXT REFERENCES image (image_id),
  image_name       TEXT,
  ram_mib          INTEGER,
  kernel_arguments TEXT NOT NULL DEFAULT '[]',
  boot_mode        TEXT NOT NULL CHECK (boot_mode IN ('netboot', 'install', 'local')),
  local_boot       TEXT NOT NULL CHECK (local_boot IN ('exit', 'sanboot', 'not-found')),
  loader           TEXT,
  dhcp_options     TEXT,
  reserved_address TEXT UNIQUE,
  armed_until_ms   INTEGER,
  current_boot_id  TEXT,
  hold_reason      TEXT CHECK (hold_reason IN ('operator', 'fenced', 'decommissioned', 'identity', 'boot-loop')),
  hold_step        TEXT,
  extra_config     TEXT,
  accepted_as      TEXT,
  created_at_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX machine_by_cluster ON machine (cluster_id);
CREATE INDEX machine_by_discovery ON machine (created_at_ms) WHERE state = 'discovered';

-- Small files of a machine's own, for its initial file system; never a secret.
CREATE TABLE machine_file (
  machine_id TEXT NOT NULL REFERENCES machine (machine_id) ON DELETE CASCADE,
  path       TEXT NOT NULL,
  mode       INTEGER NOT NULL,
  content    BLOB NOT NULL,
  PRIMARY KEY (machine_id, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE machine_mac (
  mac        TEXT PRIMARY KEY,
  machine_id TEXT NOT NULL REFERENCES machine (machine_id) ON DELETE CASCADE,
  position   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX machine_mac_by_machine ON machine_mac (machine_id, position);

-- One row a client and subnet, and one an address; an ended lease stays until another client gets its address.
CREATE TABLE lease (
  subnet        TEXT NOT NULL,
  mac           TEXT NOT NULL,
  address       TEXT NOT NULL,
  address_no    INTEGER NOT NULL,
  state         TEXT NOT NULL CHECK (state IN ('active', 'released')),
  granted_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  client_id     TEXT,
  server_id     TEXT,
  PRIMARY KEY (subnet, mac)
) STRICT, WITHOUT ROWID;
CREATE INDEX lease_by_mac ON lease (mac);
CREATE UNIQUE INDEX lease_by_address ON lease (address_no);
CREATE INDEX lease_by_expiry ON lease (subnet, expires_at_ms, address_no);

CREATE TABLE quarantine (
  address  TEXT PRIMARY KEY,
  subnet   TEXT NOT NULL,
  until_ms INTEGER NOT NULL,
  why      TEXT NOT NULL,
  mac      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX quarantine_by_mac ON quarantine (mac, until_ms);

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
  image_id          TEXT,
  clock_skew_ms     INTEGER,
  begun_seq         INTEGER NOT NULL
) STRICT;
CREATE INDEX boot_attempt_by_machine ON boot_attempt (machine_id, begun_seq);
CREATE INDEX boot_attempt_open ON boot_attempt (machine_id) WHERE ended_at_ms IS NULL;

CREATE TABLE stage (
  boot_id       TEXT NOT NULL REFERENCES boot_attempt (boot_id) ON DELETE CASCADE,
  stage         TEXT NOT NULL,
  entered_at_ms INTEGER NOT NULL,
  bytes         INTEGER NOT NULL,
  retries       INTEGER NOT NULL,
  stalled_at_ms INTEGER,
  PRIMARY KEY (boot_id, stage)
) STRICT, WITHOUT ROWID;

-- What an attempt exchanged with the server, one row for each kind and key: repeats count up, so that no client can
-- make many rows.
CREATE TABLE boot_trace (
  boot_id     TEXT NOT NULL REFERENCES boot_attempt (boot_id) ON DELETE CASCADE,
  kind        TEXT NOT NULL CHECK (kind IN ('dhcp', 'tftp', 'http', 'script', 'redeem', 'gate', 'report')),
  key         TEXT NOT NULL,
  first_at_ms INTEGER NOT NULL,
  last_at_ms  INTEGER NOT NULL,
  times       INTEGER NOT NULL,
  bytes       INTEGER NOT NULL,
  retries     INTEGER NOT NULL,
  facts       TEXT NOT NULL,
  PRIMARY KEY (boot_id, kind, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE step (
  boot_id       TEXT NOT NULL REFERENCES boot_attempt (boot_id) ON DELETE CASCADE,
  step          TEXT NOT NULL,
  state         TEXT NOT NULL CHECK (state IN ('waiting', 'started', 'succeeded', 'failed', 'implied')),
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
  -- Of what the operator had settled for this machine then; another hash now means that its configuration has drifted.
  settled_sha256 TEXT NOT NULL,
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
  noted       TEXT,
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

-- Workers that passed a gate and have not finished its step: 20 at a time.
CREATE TABLE gate_pass (
  cluster_id   TEXT NOT NULL REFERENCES cluster (cluster_id),
  step         TEXT NOT NULL,
  machine_id   TEXT NOT NULL,
  boot_id      TEXT NOT NULL,
  passed_at_ms INTEGER NOT NULL,
  PRIMARY KEY (cluster_id, step, machine_id)
) STRICT, WITHOUT ROWID;

-- What an operator's call was answered, by its idempotency key, so that a repeat changes nothing.
CREATE TABLE call_answer (
  key            TEXT PRIMARY KEY,
  request_sha256 TEXT NOT NULL,
  answer         TEXT NOT NULL,
  at_ms          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cluster_secret (
  cluster_id        TEXT NOT NULL REFERENCES cluster (cluster_id),
  name              TEXT NOT NULL,
  sealed            BLOB NOT NULL,
  handed_over_at_ms INTEGER,
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

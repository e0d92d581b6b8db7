# shellcheck shell=sh
# What the first-boot scripts share: reports that survive the server's absence, gates, and health of local services.
# POSIX shell with curl and jq. Tokens go to curl by file (-H @file), never as an argument: arguments are for all to see.

set -eu
umask 077

PILOTLIGHT_RUN=${PILOTLIGHT_RUN:-/run/pilotlight}
AUTH=$PILOTLIGHT_RUN/report-auth
CA=$PILOTLIGHT_RUN/health-ca.pem
QUEUE=$PILOTLIGHT_RUN/queue
EXIT_STALE=3

say() { printf 'pilotlight: %s\n' "$*"; }

clock_ms() { printf '%s000' "$(date +%s)"; }

# Reads what fetch-config.sh left: BOOT_ID, REPORT_URL, GATE_URL, NODE_ID, CLUSTER_ID, RAFT_HOST and the services' ports.
load_boot() {
  if [ ! -r "$PILOTLIGHT_RUN/boot.env" ]; then
    say "no configuration yet: pilotlight-config.service has not finished"
    exit 1
  fi
  # shellcheck disable=SC1091
  . "$PILOTLIGHT_RUN/boot.env"
}

# --- reports -----------------------------------------------------------------------------------------------------

# One number over all reports of this boot, so that the server can tell a repeat from news.
next_sequence() {
  until mkdir "$PILOTLIGHT_RUN/sequence.lock" 2>/dev/null; do sleep 0.1; done
  sequence=$(($(cat "$PILOTLIGHT_RUN/sequence" 2>/dev/null || echo 0) + 1))
  echo "$sequence" >"$PILOTLIGHT_RUN/sequence"
  rmdir "$PILOTLIGHT_RUN/sequence.lock"
}

# report STEP STATE [REASON] [EXTRA]   EXTRA is a JSON object laid over the report.
report() {
  mkdir -p "$QUEUE"
  next_sequence
  jq -nc --arg boot "$BOOT_ID" --arg step "$1" --arg state "$2" --arg reason "${3:-}" \
    --argjson sequence "$sequence" --argjson extra "${4:-{\}}" \
    '{boot_id: $boot, reports: [{step: $step, state: $state, sequence: $sequence, reason: $reason} + $extra]}' \
    >"$QUEUE/.new"
  mv "$QUEUE/.new" "$QUEUE/$(printf '%06d' "$sequence").json"
  say "$1 $2 ${3:-}"
  deliver || true
}

# Sends what is queued, in order. Keeps it while the server is away (401, 503, no answer), drops what it will never take.
deliver() {
  for file in "$QUEUE"/*.json; do
    [ -e "$file" ] || return 0
    status=$(curl -sS -o "$PILOTLIGHT_RUN/report.answer" -w '%{http_code}' --max-time 20 -H "@$AUTH" \
      -H "Pilotlight-Clock: $(clock_ms)" -H 'Content-Type: application/json' \
      --data-binary "@$file" "$REPORT_URL" 2>/dev/null) || status=000
    case $status in
    200) rm -f "$file" ;;
    409)
      say "the server follows another boot of this machine: $(cat "$PILOTLIGHT_RUN/report.answer")"
      rm -f "$QUEUE"/*.json
      exit "$EXIT_STALE"
      ;;
    422)
      say "the server cannot read a report and it is dropped: $(cat "$PILOTLIGHT_RUN/report.answer")"
      rm -f "$file"
      ;;
    *) return 1 ;;
    esac
  done
}

# Before a step ends nothing may be left behind: what waits is sent with patience, for at most ten minutes.
deliver_all() {
  tries=0
  until deliver; do
    tries=$((tries + 1))
    [ "$tries" -lt 120 ] || return 1
    sleep 5
  done
}

# What the last open gate said.
# shellcheck disable=SC2034 # the scripts that read this file use them
gate_action='' gate_slot=0 gate_epoch=0 gate_member='' gate_leader='' gate_voter=false

# --- gates -------------------------------------------------------------------------------------------------------

# pass_gate STEP MARKER   waits until the step may run; the answer is in $GATE, and its fields in gate_* variables.
pass_gate() {
  GATE=$PILOTLIGHT_RUN/gate-$1.json
  told=
  while :; do
    status=$(curl -sS -o "$GATE" -w '%{http_code}' --max-time 50 -H "@$AUTH" -H "Pilotlight-Clock: $(clock_ms)" \
      "$GATE_URL/$1?wait=30&data=$2" 2>/dev/null) || status=000
    case $status in
    200) break ;;
    409)
      say "another boot of this machine is current: $(cat "$GATE")"
      exit "$EXIT_STALE"
      ;;
    503)
      why=$(jq -r '.reason + (if .place then " (place \(.place))" else "" end)' "$GATE" 2>/dev/null || echo not-now)
      [ "$why" = "$told" ] || report "$1" waiting "$why"
      told=$why
      sleep 1
      ;;
    *)
      [ "$status" = "$told" ] || say "the gate of $1 is not reachable (status $status); asking again"
      told=$status
      sleep 5
      ;;
    esac
  done
  eval "$(jq -r '@sh "gate_action=\(.action) gate_slot=\(.slot_no) gate_epoch=\(.epoch) gate_member=\(.member_id // "")
    gate_leader=\(.leader_url // "") gate_voter=\(.voter)"' "$GATE" | tr '\n' ' ')"
}

# --- services ----------------------------------------------------------------------------------------------------

# service_get URL   prints the body; fails unless the answer is a 200 signed by the cluster's CA.
service_get() { curl -fsS --max-time 5 --cacert "$CA" "$1"; }

# service_post URL   the body comes on standard input; prints the status. 000: nothing answered.
service_post() {
  curl -sS -o "$PILOTLIGHT_RUN/service.answer" -w '%{http_code}' --max-time 15 --cacert "$CA" \
    -H 'Content-Type: application/json' --data-binary @- "$1" 2>"$PILOTLIGHT_RUN/service.error" || echo 000
}

# wait_for_health SERVICE FILTER SECONDS   polls the local service until the jq FILTER is true of its health.
wait_for_health() {
  eval "health_url=\$HEALTH_URL_$1"
  deadline=$(($(date +%s) + $3))
  # shellcheck disable=SC2154
  until service_get "$health_url" 2>"$PILOTLIGHT_RUN/health.error" >"$PILOTLIGHT_RUN/health.$1" &&
    jq -e "$2" "$PILOTLIGHT_RUN/health.$1" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$deadline" ] || return 1
    sleep 2
  done
}

# What the last health answer of a service was, for a report's reason.
last_health() { head -c 120 "$PILOTLIGHT_RUN/health.$1" 2>/dev/null || true; head -c 120 "$PILOTLIGHT_RUN/health.error" 2>/dev/null || true; }

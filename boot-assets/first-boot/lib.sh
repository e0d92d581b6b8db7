# shellcheck shell=sh
# What the first-boot scripts share: reports that survive the server's absence, gates, and calls to services.
# POSIX shell with curl and jq. Tokens go to curl by file (-H @file), never as an argument: arguments are for all to see.
# What the server, a service or the command line says is data: it is quoted, checked, and never run.

set -eu
umask 077
# All variables of a shell are one space: what this file counts with has names of its own.

PILOTLIGHT_RUN=${PILOTLIGHT_RUN:-/run/pilotlight}
AUTH=$PILOTLIGHT_RUN/report-auth
QUEUE=$PILOTLIGHT_RUN/queue
EXIT_STALE=3
# shellcheck disable=SC2034 # the scripts that read this file use it
ASK_AGAIN_SECONDS=2
# A reason that keeps changing is told at most this often.
TELL_EVERY_SECONDS=10

say() { printf 'pilotlight: %s\n' "$*"; }

# Seconds since the machine started: no step of the clock changes them, and reading them starts no program.
now_seconds() {
  read -r uptime _ </proc/uptime
  printf '%s' "${uptime%.*}"
}

# The clock as the server compares it: milliseconds, by the second, since a finer one would need another program.
clock_ms() { date +%s000; }

# Reads what fetch-config.sh left: BOOT_ID, REPORT_URL, GATE_URL, NODE_ID, CLUSTER_ID, MEMBER_ID, SERVICES … and, for each
# service, PORT_, HEALTH_, FOUND_, JOIN_ … with its name. Every value in it is quoted for the shell.
load_boot() {
  if [ ! -r "$PILOTLIGHT_RUN/boot.env" ]; then
    say "no configuration yet: pilotlight-config.service has not finished"
    exit 1
  fi
  # shellcheck disable=SC1091
  . "$PILOTLIGHT_RUN/boot.env"
}

# setting KEY SERVICE   prints a service's setting. Only plain names ever become part of a variable's name.
setting() {
  case $1$2 in *[!A-Za-z0-9_]*) return 1 ;; esac
  eval "printf '%s' \"\${$1_$2:-}\""
}

# runs_here SERVICE   is it a service of this machine's role?
runs_here() {
  case " $SERVICES " in *" $1 "*) return 0 ;; *) return 1 ;; esac
}

# quote TEXT   leaves it in $quoted as a JSON string. Plain words need no jq, whose start costs a small machine most.
quote() {
  case $1 in
  *[!A-Za-z0-9\ ._:,\;/=+\(\)@-]*) quoted=$(printf '%s' "$1" | jq -Rs .) ;;
  *) quoted="\"$1\"" ;;
  esac
}

# --- reports -----------------------------------------------------------------------------------------------------

# One number over all reports of this boot, so that the server can tell a repeat from news. A script that was killed
# while it held the lock keeps nobody waiting for longer than five seconds.
next_sequence() {
  lock_tries=0
  until mkdir "$PILOTLIGHT_RUN/sequence.lock" 2>/dev/null; do
    lock_tries=$((lock_tries + 1))
    [ "$lock_tries" -lt 50 ] || break
    sleep 0.1
  done
  sequence=0
  [ ! -s "$PILOTLIGHT_RUN/sequence" ] || read -r sequence <"$PILOTLIGHT_RUN/sequence"
  sequence=$((sequence + 1))
  echo "$sequence" >"$PILOTLIGHT_RUN/sequence"
  rmdir "$PILOTLIGHT_RUN/sequence.lock" 2>/dev/null || true
}

# report STEP STATE [REASON] [MORE]   MORE is more of the report's JSON members: "slot_no": 1, "facts": {…}
report() {
  [ -d "$QUEUE" ] || mkdir -p "$QUEUE"
  next_sequence
  quote "$BOOT_ID"
  quoted_boot=$quoted
  quote "${3:-}"
  printf '{"boot_id": %s, "reports": [{"step": "%s", "state": "%s", "sequence": %s, "reason": %s%s}]}' \
    "$quoted_boot" "$1" "$2" "$sequence" "$quoted" "${4:+, $4}" >"$QUEUE/.new.$$"
  mv "$QUEUE/.new.$$" "$QUEUE/$(printf '%06d' "$sequence").json"
  say "$1 $2 ${3:-}"
  deliver || true
}

# tell STEP REASON   reports that the step waits and why, when that is news.
tell() {
  [ "$2" != "${told_reason:-}" ] || return 0
  [ "$(now_seconds)" -ge "${tell_again_at:-0}" ] || return 0
  report "$1" waiting "$2"
  told_reason=$2
  tell_again_at=$(($(now_seconds) + TELL_EVERY_SECONDS))
}

# Sends what is queued, in order. Keeps it while the server is away (401, 503, no answer), drops what it will never take.
deliver() {
  for file in "$QUEUE"/*.json; do
    [ -e "$file" ] || return 0
    status=$(curl -sS --globoff --proto '=http,https' -o "$PILOTLIGHT_RUN/report.answer" -w '%{http_code}' --max-time 20 \
      -H "@$AUTH" -H "Pilotlight-Clock: $(clock_ms)" -H 'Content-Type: application/json' \
      --data-binary "@$file" --url "$REPORT_URL" 2>/dev/null) || status=000
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

# Before a step ends nothing may be left behind: what waits is sent with patience, for at most ten minutes. After that
# the step fails, systemd runs it again, and what is queued is sent then.
deliver_all() {
  send_tries=0
  until deliver; do
    send_tries=$((send_tries + 1))
    [ "$send_tries" -lt 120 ] || return 1
    sleep 5
  done
}

# step_failed STEP REASON   reports it and ends the script; systemd runs it again.
step_failed() {
  # The slot says which try it was: only of that one can the server take "nothing was sent" at its word.
  report "$1" failed "$2" "\"slot_no\": ${gate_slot:-0}"
  deliver_all || true
  exit 1
}

# step_succeeded STEP [REASON] [MORE]   reports it, and lets the steps after it on this machine know.
step_succeeded() {
  report "$1" succeeded "${2:-}" "${3:-}"
  : >"$PILOTLIGHT_RUN/done.$1"
  deliver_all
}

# --- gates -------------------------------------------------------------------------------------------------------

# What the last open gate said.
# shellcheck disable=SC2034 # the scripts that read this file use them
gate_action='' gate_slot=0 gate_epoch=0 gate_member='' gate_leader='' gate_voter=false

# pass_gate STEP MARKER   waits until the step may run; the answer is in $GATE, and its fields in gate_* variables.
pass_gate() {
  GATE=$PILOTLIGHT_RUN/gate-$1.json
  unreachable=
  while :; do
    status=$(curl -sS --globoff --proto '=http,https' -o "$GATE" -w '%{http_code}' --max-time 50 -H "@$AUTH" \
      -H "Pilotlight-Clock: $(clock_ms)" --url "$GATE_URL/$1?wait=30&data=$2" 2>/dev/null) || status=000
    case $status in
    200) if read_gate; then return 0; fi ;;
    409)
      say "another boot of this machine is current: $(cat "$GATE")"
      exit "$EXIT_STALE"
      ;;
    503)
      tell "$1" "$(jq -r '.reason + (if .place then " (place \(.place))" else "" end)' "$GATE" 2>/dev/null || echo not-now)"
      sleep 1
      continue
      ;;
    esac
    [ "$status" = "$unreachable" ] || say "the gate of $1 gave no answer of use (status $status); asking again"
    unreachable=$status
    sleep 5
  done
}

# The fields of an open gate, each checked for its form before it becomes a variable.
read_gate() {
  jq -r 'def word: tostring | if test("^[A-Za-z0-9._:/\\[\\]-]*$") then . else error("malformed") end;
    @sh "gate_action=\(.action | word) gate_slot=\(.slot_no // 0 | floor) gate_epoch=\(.epoch // 0 | floor)
    gate_member=\(.member_id // "" | word) gate_leader=\(.leader_url // "" | word) gate_voter=\(.voter == true)"' \
    "$GATE" >"$PILOTLIGHT_RUN/gate.env" 2>/dev/null || return 1
  # shellcheck disable=SC1091
  . "$PILOTLIGHT_RUN/gate.env"
}

# --- services ----------------------------------------------------------------------------------------------------

# How services are asked: over TLS with the cluster's CA, where the configuration gives one.
service_curl() {
  curl -sS --globoff --proto '=https' ${HEALTH_CA:+--cacert "$HEALTH_CA"} "$@"
}

# ask_side_by_side CURL-ARGS   several questions by one curl: starting it costs a small machine more than asking, and one
# that is slow or gone must not hold up the others.
ask_side_by_side() {
  service_curl --parallel --parallel-immediate --max-time "${ASK_SECONDS:-5}" "$@" 2>/dev/null || true
}

# service_post URL   the body comes on standard input; prints the status. 000: nothing answered.
service_post() {
  : >"$PILOTLIGHT_RUN/service.answer"
  service_curl -o "$PILOTLIGHT_RUN/service.answer" -w '%{http_code}' --max-time 15 \
    -H 'Content-Type: application/json' --data-binary @- --url "$1" 2>"$PILOTLIGHT_RUN/service.error" || true
}

#!/bin/sh
# Redeems this boot's token for the machine's cluster-config.json, checks it, and leaves what the other scripts need.
set -eu
umask 077
PILOTLIGHT_DIR=${PILOTLIGHT_DIR:-/etc/pilotlight}
PILOTLIGHT_RUN=${PILOTLIGHT_RUN:-/run/pilotlight}
CMDLINE=${PILOTLIGHT_CMDLINE:-/proc/cmdline}
CONFIG=$PILOTLIGHT_DIR/cluster-config.json
MAX_REFUSALS=10
MAX_TRIES=120

say() { printf 'pilotlight: %s\n' "$*"; }
word() { tr ' ' '\n' <"$CMDLINE" | sed -n "s/^pilotlight\.$1=//p" | tail -n 1; }

url=$(word url)
mac=$(word mac)
if [ -z "$url" ] || [ -z "$mac" ]; then
  say "the kernel command line has no pilotlight.url= and pilotlight.mac=: this machine was not booted by Pilotlight"
  exit 1
fi
mkdir -p "$PILOTLIGHT_DIR" "$PILOTLIGHT_RUN"

# The same nonce at every try of this boot: a lost answer is asked for again, and nobody else can.
[ -s "$PILOTLIGHT_RUN/nonce" ] || od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$PILOTLIGHT_RUN/nonce"
printf 'Authorization: Bearer %s\n' "$(word token)" >"$PILOTLIGHT_RUN/boot-auth"

refused=0
tries=0
while :; do
  tries=$((tries + 1))
  status=$(curl -sS -o "$PILOTLIGHT_RUN/config.new" -w '%{http_code}' --max-time 20 -H "@$PILOTLIGHT_RUN/boot-auth" \
    -H "Pilotlight-Nonce: $(cat "$PILOTLIGHT_RUN/nonce")" -H "Pilotlight-Clock: $(date +%s)000" \
    "$url/machines/$mac/cluster-config.json" 2>/dev/null) || status=000
  case $status in
  200) break ;;
  401) refused=$((refused + 1)) ;;
  esac
  say "the configuration was not given (status $status, try $tries)"
  if [ "$refused" -ge "$MAX_REFUSALS" ] || [ "$tries" -ge "$MAX_TRIES" ]; then
    say "giving up: the token was refused $refused times; arm the machine again and reboot it"
    exit 1
  fi
  if [ "$tries" -lt 5 ]; then sleep 2; else sleep 10; fi
done

if ! jq -e '.schema_version == 1 and (.node_id | type == "string") and (.cluster_id | type == "string")
  and (.bootstrap | type == "boolean") and (.provisioning.report_token | type == "string")' \
  "$PILOTLIGHT_RUN/config.new" >/dev/null; then
  say "the server's answer is no cluster-config.json of schema 1"
  exit 1
fi
mv "$PILOTLIGHT_RUN/config.new" "$CONFIG"
rm -f "$PILOTLIGHT_RUN/boot-auth"

jq -r '"Authorization: Bearer " + .provisioning.report_token' "$CONFIG" >"$PILOTLIGHT_RUN/report-auth"
jq -r '.provisioning.health_ca // ""' "$CONFIG" >"$PILOTLIGHT_RUN/health-ca.pem"
# Everything the steps need as shell variables, in one go: a jq for each would take seconds on a small machine.
jq -r 'def set($name; $value): $name + "=" + ($value | tostring | @sh);
  set("BOOT_ID"; .provisioning.boot_id), set("REPORT_URL"; .provisioning.report_url),
  set("GATE_URL"; .provisioning.gate_url), set("NODE_ID"; .node_id), set("CLUSTER_ID"; .cluster_id),
  set("RAFT_HOST"; .raft_addr | split(":")[0]), set("SERVICES"; .services | join(" ")),
  (.services_api | to_entries[] | (.key | gsub("[^a-z0-9]"; "_")) as $name | .value |
    set("HEALTH_URL_" + $name; "https://localhost:\(.port)\(.health)"), set("PORT_" + $name; .port),
    set("FOUND_" + $name; .found // ""), set("JOIN_" + $name; .join // ""),
    set("LIST_" + $name; .list // ""), set("SETUP_" + $name; .setup // ""))' "$CONFIG" >"$PILOTLIGHT_RUN/boot.env"
say "configuration taken: $(jq -r '.node_id + " of " + .cluster_name + (if .bootstrap then ", founds the cluster" else "" end)' "$CONFIG")"

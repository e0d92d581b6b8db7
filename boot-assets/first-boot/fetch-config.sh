#!/bin/sh
# Redeems this boot's token for the machine's cluster-config.json, checks it, and leaves what the other scripts need.
# Harmless when it runs again: what was taken in this boot stays. A system that was installed on a disk has no token on its
# command line, and the configuration that its installer left.
set -eu
umask 077
here=${0%/*}
[ "$here" != "$0" ] || here=.
PILOTLIGHT_DIR=${PILOTLIGHT_DIR:-/etc/pilotlight}
PILOTLIGHT_RUN=${PILOTLIGHT_RUN:-/run/pilotlight}
CMDLINE=${PILOTLIGHT_CMDLINE:-/proc/cmdline}
CONFIG=$PILOTLIGHT_DIR/cluster-config.json
MAX_REFUSALS=10
MAX_TRIES=${PILOTLIGHT_MAX_TRIES:-120}

say() { printf 'pilotlight: %s\n' "$*"; }
word() { tr ' ' '\n' <"$CMDLINE" | sed -n "s/^pilotlight\.$1=//p" | tail -n 1; }

# The first run of this boot makes the nonce: a lost answer is asked for again with it, and by nobody else.
nonce() {
  [ -s "$PILOTLIGHT_RUN/nonce" ] || od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$PILOTLIGHT_RUN/nonce"
  cat "$PILOTLIGHT_RUN/nonce"
}

# redeem URL MAC TOKEN   leaves the answer in config.new.
redeem() {
  case $1 in
  http://* | https://*) ;;
  *)
    say "pilotlight.url= on the kernel command line is no http:// or https:// URL"
    exit 1
    ;;
  esac
  case $2 in
  *[!0-9A-Fa-f:-]*)
    say "pilotlight.mac= on the kernel command line is no MAC address"
    exit 1
    ;;
  esac
  printf 'Authorization: Bearer %s\n' "$3" >"$PILOTLIGHT_RUN/boot-auth"
  own_nonce=$(nonce)
  refused=0
  tries=0
  while :; do
    tries=$((tries + 1))
    status=$(curl -sS --globoff --proto '=http,https' -o "$PILOTLIGHT_RUN/config.new" -w '%{http_code}' --max-time 20 \
      -H "@$PILOTLIGHT_RUN/boot-auth" -H "Pilotlight-Nonce: $own_nonce" -H "Pilotlight-Clock: $(date +%s)000" \
      --url "$1/machines/$2/cluster-config.json" 2>/dev/null) || status=000
    case $status in
    200) break ;;
    401) refused=$((refused + 1)) ;;
    esac
    say "the configuration was not given (status $status, try $tries)"
    if [ "$refused" -ge "$MAX_REFUSALS" ]; then
      say "giving up: the token was refused $refused times; arm the machine again and reboot it"
      exit 1
    fi
    if [ "$tries" -ge "$MAX_TRIES" ]; then
      say "giving up after $tries tries: no answer of use (status $status); see pilotlight explain, and the boot HTTP port of $1"
      exit 1
    fi
    if [ "$tries" -lt 5 ]; then sleep 2; else sleep 10; fi
  done
  rm -f "$PILOTLIGHT_RUN/boot-auth"
}

# read_config FILE   sets wrong, and where nothing is: report_token, health_ca, services and whose. Each start of jq takes
# a small machine a quarter of a second, so that one does it all; every value is quoted by @sh, and names of services come
# from the list that this image knows.
read_config() {
  # shellcheck disable=SC2016
  jq -rs --slurpfile known "$here/health-checks.json" '
    def text: type == "string" and length > 0;
    def url: type == "string" and test("^https?://[A-Za-z0-9.:_/\\[\\]-]+$");
    def complain($what): if . then empty else $what end;
    def wrong: if type != "object" then "it is no JSON object" else
      (.schema_version == 1 | complain("schema_version is not 1")),
      (.node_id | text | complain("node_id is no text")),
      (.cluster_id | text | complain("cluster_id is no text")),
      (.bootstrap | type == "boolean" | complain("bootstrap is neither true nor false")),
      (.raft_addr | (type == "string" and test("^[0-9a-fA-F.:]+$")) | complain("raft_addr is no address")),
      (.services | type == "array" and length > 0 and all(.[]; type == "string") | complain("services is no list of names")),
      (.services | arrays[] | strings | . as $name
        | ($known[0] | has($name)) | complain("this image knows no service \($name | tojson)")),
      (.services_api | type == "object" | complain("services_api is no object")),
      (.provisioning | type == "object" | complain("provisioning is no object")),
      (.provisioning | objects
        | (.boot_id | text | complain("provisioning.boot_id is no text")),
          (.report_token | (text and test("^[A-Za-z0-9._~-]+$")) | complain("provisioning.report_token is no token")),
          (.report_url | url | complain("provisioning.report_url is no URL")),
          (.gate_url | url | complain("provisioning.gate_url is no URL"))) end;
    (if length == 1 then .[0] else null end) | [wrong] as $wrong
    | if $wrong != [] then @sh "wrong=\($wrong[:5] | join("; "))" else
        @sh "wrong=\("") report_token=\(.provisioning.report_token) health_ca=\(.provisioning.health_ca // "" | tostring)",
        @sh "services=\(.services | join(" "))",
        @sh "whose=\(.node_id + " of " + (.cluster_name // "its cluster" | tostring)
          + (if .bootstrap then ", founds the cluster" else "" end))" end' "$1" >"$PILOTLIGHT_RUN/config.read" 2>/dev/null ||
    echo "wrong='it is no JSON object'" >"$PILOTLIGHT_RUN/config.read"
  # shellcheck disable=SC1091
  . "$PILOTLIGHT_RUN/config.read"
  # The token is kept in one file alone.
  rm -f "$PILOTLIGHT_RUN/config.read"
}

# An installed system that starts again reports for the same boot, and what it counted is gone with its RAM: each start has
# a million numbers of its own, as far as the server's 2^31 reach.
count_start() {
  starts=0
  [ ! -s "$PILOTLIGHT_DIR/starts" ] || read -r starts <"$PILOTLIGHT_DIR/starts" || true
  case $starts in '' | *[!0-9]* | 0?* | ?????*) starts=2000 ;; esac
  [ "$starts" -le 2000 ] || starts=2000
  echo "${starts}000000" >"$PILOTLIGHT_RUN/sequence"
  echo "$((starts + 1))" >"$PILOTLIGHT_DIR/starts.new"
  mv "$PILOTLIGHT_DIR/starts.new" "$PILOTLIGHT_DIR/starts"
  sync
}

mkdir -p "$PILOTLIGHT_DIR" "$PILOTLIGHT_RUN/services"
if [ -s "$PILOTLIGHT_RUN/boot.env" ] && [ -s "$CONFIG" ]; then
  say "the configuration of this boot was taken already"
  exit 0
fi
url=$(word url)
mac=$(word mac)
installed=
if [ -n "$url" ] && [ -n "$mac" ]; then
  source="the server's answer"
  redeem "$url" "$mac" "$(word token)"
elif [ -s "$CONFIG" ]; then
  source="the configuration on the disk"
  installed=1
  say "an installed system: using the configuration that its installer left"
  cp "$CONFIG" "$PILOTLIGHT_RUN/config.new"
else
  say "the kernel command line has no pilotlight.url= and pilotlight.mac=: this machine was not booted by Pilotlight"
  exit 1
fi

wrong='' report_token='' health_ca='' services='' whose=''
read_config "$PILOTLIGHT_RUN/config.new"
if [ -n "$wrong" ]; then
  say "$source is no cluster-config.json of schema 1: $wrong"
  exit 1
fi
mv "$PILOTLIGHT_RUN/config.new" "$CONFIG"

printf 'Authorization: Bearer %s\n' "$report_token" >"$PILOTLIGHT_RUN/report-auth"
printf '%s\n' "$health_ca" >"$PILOTLIGHT_RUN/health-ca.pem"
# Everything the steps need as shell variables, in one go.
# shellcheck disable=SC2016
jq -r --slurpfile known "$here/health-checks.json" --arg ca "$PILOTLIGHT_RUN/health-ca.pem" --arg installed "$installed" '
  def set($name; $value): $name + "=" + ($value | tostring | @sh);
  def path: if type == "string" and test("^/[A-Za-z0-9._~/{}-]*$") then . else "" end;
  def port: if type == "number" and floor == . and . > 0 and . < 65536 then . else 0 end;
  set("BOOT_ID"; .provisioning.boot_id), set("REPORT_URL"; .provisioning.report_url),
  set("GATE_URL"; .provisioning.gate_url), set("NODE_ID"; .node_id), set("CLUSTER_ID"; .cluster_id),
  set("INSTALLED"; $installed), set("MEMBER_ID"; .member_id // ""), set("EPOCH"; .bootstrap_epoch // 0),
  (. as $config | ("chainfire", "flaredb") as $name | set("KEEP_DATA_" + $name;
    if $config.keep_data_by_service | type == "object" then $config.keep_data_by_service[$name] else $config.keep_data end // "")),
  set("RAFT_HOST"; .raft_addr | sub(":[0-9]+$"; "")), set("SERVICES"; .services | join(" ")),
  set("PEERS"; [.initial_peers[]? | strings | sub(":[0-9]+$"; "") | select(test("^[0-9a-fA-F.:]+$"))] | join(" ")),
  set("HEALTH_CA"; if .provisioning.health_ca then $ca else "" end),
  (.services_api as $api | $known[0] | keys[] | . as $name | ($api[$name] // {}) |
    set("PORT_" + $name; .port | port), set("DNS_PORT_" + $name; .dns_port | port),
    set("HEALTH_" + $name; .health | path), set("FOUND_" + $name; .found | path), set("JOIN_" + $name; .join | path),
    set("LIST_" + $name; .list | path), set("PROMOTE_" + $name; .promote | path),
    set("SETUP_" + $name; .setup | path))' "$CONFIG" >"$PILOTLIGHT_RUN/boot.new"
# A unit of a service that is not of this machine's role looks here and does not start.
for service in $services; do : >"$PILOTLIGHT_RUN/services/$service"; done
[ -z "$installed" ] || count_start
# Last, since it is what tells that everything is there.
mv "$PILOTLIGHT_RUN/boot.new" "$PILOTLIGHT_RUN/boot.env"
say "configuration taken: $whose"

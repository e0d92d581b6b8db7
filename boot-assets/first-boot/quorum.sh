# shellcheck shell=sh
# Counts the voters of both Raft groups, and those that answer as healthy members, as far as this machine sees them; beside
# lib.sh and health.sh.

# One line for each group: SERVICE VOTERS HEALTHY-VOTERS.
QUORUM=$PILOTLIGHT_RUN/quorum

count_voters() {
  list_members
  find_voters
  ask_voters
  tally
  [ -s "$QUORUM" ] || printf 'chainfire 0 0\nflaredb 0 0\n' >"$QUORUM"
}

# Each group's own list of members, where it has one.
list_members() {
  set --
  for raft in chainfire flaredb; do
    : >"$PILOTLIGHT_RUN/list.$raft"
    [ -e "$PILOTLIGHT_RUN/health.$raft" ] || : >"$PILOTLIGHT_RUN/health.$raft"
    path=$(setting LIST "$raft")
    [ -z "$path" ] ||
      set -- "$@" -o "$PILOTLIGHT_RUN/list.$raft" --url "https://localhost:$(setting PORT "$raft")$path"
  done
  [ $# -eq 0 ] || ask_side_by_side -f "$@"
}

# A line for each group in voters: SERVICE HOW-MANY ADDRESS …, from its list; without one, the peers of the configuration
# and what the service says of its size.
find_voters() {
  jq -nr --arg peers "$PEERS" \
    --rawfile list.chainfire "$PILOTLIGHT_RUN/list.chainfire" --rawfile list.flaredb "$PILOTLIGHT_RUN/list.flaredb" \
    --rawfile health.chainfire "$PILOTLIGHT_RUN/health.chainfire" --rawfile health.flaredb "$PILOTLIGHT_RUN/health.flaredb" '
    def read($name): $ARGS.named[$name] | try fromjson catch null | objects;
    def address: strings | sub(":[0-9]+$"; "") | select(test("^[0-9a-fA-F.]+$"));
    ("chainfire", "flaredb") as $service
    | [read("list." + $service) | .members | arrays[] | objects | select(.voter == true) | .raft_addr | address] as $listed
    | if $listed == [] then $peers / " " | map(select(. != "")) else $listed end
    | . as $addresses
    | ([read("health." + $service) | .cluster_size | numbers | floor] | first // 0) as $size
    | [$service, (if $listed == [] then [length, $size] | max else length end), $addresses[]] | join(" ")
    ' >"$PILOTLIGHT_RUN/voters" 2>/dev/null || : >"$PILOTLIGHT_RUN/voters"
}

ask_voters() {
  rm -f "$PILOTLIGHT_RUN"/voter.*
  set --
  while read -r raft _ addresses; do
    for address in $addresses; do
      answer_file=$PILOTLIGHT_RUN/voter.$raft.$address
      : >"$answer_file"
      set -- "$@" -o "$answer_file" --url "https://$address:$(setting PORT "$raft")$(setting HEALTH "$raft")"
    done
  done <"$PILOTLIGHT_RUN/voters"
  [ $# -eq 0 ] || ask_side_by_side -f "$@"
}

tally() {
  set --
  for answer_file in "$PILOTLIGHT_RUN"/voter.*; do
    [ ! -e "$answer_file" ] || set -- "$@" --rawfile "${answer_file##*/}" "$answer_file"
  done
  jq -nr --rawfile groups "$PILOTLIGHT_RUN/voters" "$@" '
    ($groups | split("\n")[] | select(. != "") | split(" ")) as [$service, $voters]
    | [$ARGS.named | to_entries[] | select(.key | startswith("voter.\($service).")) | .value | try fromjson catch null
      | objects | select(.status == "healthy" and (.raft == "leader" or .raft == "follower"))]
    | "\($service) \($voters) \(length)"' >"$QUORUM" 2>/dev/null || : >"$QUORUM"
}

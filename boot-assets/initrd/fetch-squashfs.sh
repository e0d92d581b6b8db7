#!/bin/sh
# fetch-squashfs.sh DIRECTORY   For the initrd of an image whose root is a squashfs of its own: fetches what the kernel command
# line names (pilotlight.squashfs=) into DIRECTORY/root.squashfs, on a tmpfs of its own of the size that is wanted, and
# compares its length and SHA-256 with pilotlight.squashfs_bytes= and pilotlight.squashfs_sha256=. A transfer that breaks goes
# on where it was. Wants /proc, busybox, and a network that is up.
#
# Ends with 0 when it is there and right, with 2 when the command line names none, and with 1 when it cannot be had: standard
# error then says why, and so does the server (`pilotlight explain`).
set -uf
CMDLINE=${PILOTLIGHT_CMDLINE:-/proc/cmdline}
MEMINFO=${PILOTLIGHT_MEMINFO:-/proc/meminfo}
# Without a new byte for so long a transfer is hung up.
PATIENCE_SECONDS=${PILOTLIGHT_PATIENCE_SECONDS:-30}
PAUSE_SECONDS=${PILOTLIGHT_PAUSE_SECONDS:-5}
# Tries one after the other that bring nothing new, and answers that there is no room yet: two hours of them.
MAX_TRIES=${PILOTLIGHT_MAX_TRIES:-12}
MAX_WAITS=${PILOTLIGHT_MAX_WAITS:-1440}
# While bytes come, and while there is no room yet, the server hears of it so often: its boot token lives for 15 min from that.
TELL_SECONDS=${PILOTLIGHT_TELL_SECONDS:-60}
# What the system wants beside it to come up at all.
SPARE_KIB=24576
directory=$1
file=$directory/root.squashfs
said=$directory/.wget
mounted=
teller=

say() { printf 'pilotlight: %s\n' "$*" >&2; }

# word NAME   the last pilotlight.NAME= of the command line, as the boot script puts its own last.
word() {
  found=
  for each in $cmdline; do
    case $each in pilotlight."$1"=*) found=${each#*=} ;; esac
  done
  printf '%s' "$found"
}

b=$(command -v busybox) || {
  say "no root filesystem: this initrd has no busybox"
  exit 1
}
cmdline=$($b cat "$CMDLINE")
url=$(word squashfs)
bytes=$(word squashfs_bytes)
sha256=$(word squashfs_sha256)
server=$(word url)
mac=$(word mac)
[ -n "$url" ] || exit 2
$b mkdir -p "$directory"

size() { $b stat -c %s "${1:-$file}" 2>/dev/null || echo 0; }

# watch PID FILE   hangs a transfer up that does not move, and says how far one is that does.
watch() {
  before=$(size "$2") quiet=0 second=0
  while [ "$quiet" -lt "$PATIENCE_SECONDS" ]; do
    $b sleep 1
    now=$(size "$2") second=$((second + 1)) quiet=$((quiet + 1))
    if [ "$now" != "$before" ]; then quiet=0; fi
    before=$now
    if [ $((second % 10)) = 0 ]; then say "$((now / 1048576)) MiB of ${bytes:+$((bytes / 1048576)) MiB} are here"; fi
  done
  kill "$1"
}

# get URL FILE [-c]   one try; what wget says of it is left in $said.
get() {
  $b wget -q ${3:+"$3"} -O "$2" "$1" >/dev/null 2>"$said" &
  fetcher=$!
  watch "$fetcher" "$2" &
  watcher=$!
  wait "$fetcher" 2>/dev/null
  code=$?
  kill "$watcher" 2>/dev/null
  wait "$watcher" 2>/dev/null
  return "$code"
}

# tell STAGE?QUERY   a line for the server; nothing hangs on it.
tell() {
  [ -z "$server" ] || [ -z "$mac" ] || PATIENCE_SECONDS=5 get "$server/beacon/$mac/$1" /dev/null || :
}

# tell_progress   for as long as it runs: how much is here, now and then, where that is not what it was the last time.
tell_progress() {
  said=/dev/null told=0 second=0
  while $b sleep 1; do
    second=$((second + 1))
    [ $((second % TELL_SECONDS)) = 0 ] || continue
    has=$(size)
    [ "$has" = "$told" ] || tell "squashfs-progress?bytes=$has"
    told=$has
  done
}

# give_up WORD SENTENCE   the words are those that the server knows (docs/boot-protocol.md).
give_up() {
  say "no root filesystem: $2"
  [ -z "$teller" ] || kill "$teller" 2>/dev/null
  tell "squashfs-failed?why=$1&bytes=$(size)"
  $b rm -f "$file" "$said"
  [ -z "$mounted" ] || $b umount "$directory"
  exit 1
}

# again WORD SENTENCE   once more from the first byte: a cache on the way may have been mended.
again() {
  if [ -n "${once:-}" ]; then give_up "$1" "$2"; fi
  once=1
  say "$2; fetching it once more"
  $b rm -f "$file"
}

# is_right   true when the file is what the command line says.
is_right() {
  has=$(size)
  if [ -n "$bytes" ] && [ "$has" != "$bytes" ]; then
    again wrong-size "$url has $has bytes, the image's has $bytes"
    return 1
  fi
  if [ -z "$sha256" ]; then
    say "$url is here, $has bytes; the command line has no pilotlight.squashfs_sha256= to compare it with"
    return 0
  fi
  got=$($b sha256sum "$file")
  got=${got%% *}
  [ "$got" = "$sha256" ] && return 0
  again wrong-sha256 "$url is not the image's: its SHA-256 is $got, want $sha256"
  return 1
}

# fetch   until all of it is here.
fetch() {
  tries=0 waits=0 most=$(size)
  while :; do
    if get "$url" "$file" -c; then return; fi
    has=$(size)
    # More than it should be fills the tmpfs.
    if [ -n "$bytes" ] && [ "$has" -ge "$bytes" ]; then return; fi
    error=$($b tail -n 1 "$said")
    error=${error:-no byte came for $PATIENCE_SECONDS s}
    error=${error#wget: }
    case $error in
    *"HTTP/1."?" 503"* | *"HTTP/1."?" 429"*)
      waits=$((waits + 1))
      [ "$waits" -lt "$MAX_WAITS" ] || give_up busy "$url is not given out: $error"
      if [ $((waits % 12)) = 1 ]; then
        say "the server has no room for another transfer yet; asking again every $PAUSE_SECONDS s"
        tell "squashfs-waiting?bytes=$has"
      fi
      $b sleep "$PAUSE_SECONDS"
      continue
      ;;
    *"HTTP/1."?" 4"??*) give_up refused "$url: $error" ;;
    esac
    tries=$((tries + 1))
    if [ "$has" -gt "$most" ]; then tries=0 most=$has; fi
    [ "$tries" -lt "$MAX_TRIES" ] || give_up unreachable "$url does not come: $error"
    say "$url stopped after $has${bytes:+ of $bytes} bytes ($error); going on from there"
    [ "$tries" = 0 ] || $b sleep "$PAUSE_SECONDS"
  done
}

case $url in
http://* | https://*) ;;
*) give_up wrong-url "pilotlight.squashfs=$url is no http:// or https:// URL" ;;
esac
case $bytes in *[!0-9]*) give_up wrong-url "pilotlight.squashfs_bytes=$bytes is no number" ;; esac

if [ -n "$bytes" ]; then
  free=$($b sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' "$MEMINFO")
  wanted=$((bytes / 1024 + SPARE_KIB))
  if [ "${free:-$wanted}" -lt "$wanted" ]; then
    give_up no-memory "it has $((bytes / 1048576)) MiB, and $((free / 1024)) MiB of RAM are free, want $((wanted / 1024))"
  fi
fi
if [ -z "${PILOTLIGHT_NO_TMPFS:-}" ]; then
  # A megabyte more for what lies beside it; where the size is not known, what there is.
  limit=90%
  [ -z "$bytes" ] || limit=$((bytes + 1048576))
  $b mount -t tmpfs -o "size=$limit,mode=755" pilotlight-root "$directory" || give_up no-memory "no tmpfs on $directory"
  mounted=1
fi
say "fetching $url${bytes:+, $((bytes / 1048576)) MiB}"
tell_progress >/dev/null 2>&1 &
teller=$!
fetch
until is_right; do fetch; done
kill "$teller" 2>/dev/null
tell "squashfs-loaded?bytes=$(size)"
$b rm -f "$said"
say "the root filesystem is here and whole"

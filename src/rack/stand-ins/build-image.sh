#!/bin/bash
# build-image.sh OUT BOOT_ASSETS_DIR STAND_INS_DIR CERT_DIR KERNEL_DIR SUITE
# Builds a small machine image of the shape of a NixOS netboot build, from Debian packages and STAND-INS for the cluster's
# services: bzImage, one initrd (a stage 1 with the root as squashfs inside), netboot.ipxe. For demos and tests only.
# separate/ is the same image in another form: an initrd of stage 1 alone, and root.squashfs beside it, which stage 1 fetches.
# container/root.squashfs is the same root once more, for tests that run it without a virtual machine.
set -euo pipefail
out=$1 boot_assets=$2 stand_ins=$3 certs=$4 kernel=$5 suite=$6
work=$(mktemp -d "$out/.work-XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root

mmdebstrap --quiet --variant=essential --mode=root \
  --include=systemd,systemd-sysv,udev,kmod,curl,jq,busybox-static,socat,libnss-myhostname \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/i18n/*' \
  --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/lib/udev/hwdb.d/*' \
  "$suite" "$root" >/dev/null

version=$(basename "$kernel"/lib/modules/*)
modules=$kernel/lib/modules/$version
cp "$kernel/boot/vmlinuz-$version" "$out/bzImage"
depmod -b "$kernel" "$version"

# A module with everything that it depends on, deepest first.
closure() {
  local name line
  for name in "$@"; do
    line=$(grep -E "/${name//-/_}\.ko:|/$name\.ko:" "$modules/modules.dep" | head -n 1) || continue
    # modules.dep names the deepest last.
    tr -d ':' <<<"$line" | tr ' ' '\n' | tac
  done | awk '!seen[$0]++'
}
for file in $(closure virtio_pci virtio_net virtio_rng e1000 af_packet overlay squashfs loop autofs4 efivarfs); do
  install -D "$modules/$file" "$root/lib/modules/$version/$file"
done
cp "$modules"/modules.{builtin,order} "$root/lib/modules/$version/"
depmod -b "$root" "$version"

# What a diskless node has no use for.
rm -rf "$root"/var/lib/apt "$root"/var/cache/* "$root"/var/log/* "${root:?}"/boot/* \
  "$root"/usr/share/{bash-completion,zsh,bug,lintian,doc,man,locale,polkit-1,pixmaps,zoneinfo,perl5,perl,common-licenses,i18n} \
  "$root"/usr/lib/x86_64-linux-gnu/{perl-base,gconv}
rm -f "$root"/lib/systemd/system-generators/systemd-{gpt-auto,hibernate-resume,cryptsetup,veritysetup,integritysetup,sysv,rc-local}-generator

echo node >"$root/etc/hostname"
: >"$root/etc/machine-id"
: >"$root/etc/fstab"
mkdir -p "$root/etc/systemd/network" "$root/etc/systemd/journald.conf.d" "$root/etc/systemd/system.conf.d"
cat >"$root/etc/systemd/network/10-boot.network" <<'NETWORK'
[Match]
Name=e*
[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
[DHCPv4]
ClientIdentifier=mac
NETWORK
ln -sf /dev/null "$root/etc/systemd/network/99-default.link"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=8M\nForwardToConsole=no\n' >"$root/etc/systemd/journald.conf.d/small.conf"

units=$root/etc/systemd/system
wants=$units/multi-user.target.wants
mkdir -p "$wants" "$units/network-online.target.wants" "$units/sockets.target.wants" "$units/systemd-networkd-wait-online.service.d"
ln -sf /lib/systemd/system/systemd-networkd.service "$wants/"
ln -sf /lib/systemd/system/systemd-networkd.socket "$units/sockets.target.wants/"
ln -sf /lib/systemd/system/systemd-networkd-wait-online.service "$units/network-online.target.wants/"
printf '[Service]\nExecStart=\nExecStart=/lib/systemd/systemd-networkd-wait-online --any --timeout=60\n' \
  >"$units/systemd-networkd-wait-online.service.d/any.conf"
for unit in getty.target getty@tty1.service serial-getty@ttyS0.service systemd-timesyncd.service systemd-resolved.service \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service \
  systemd-pstore.service systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-random-seed.service \
  remote-fs.target systemd-machine-id-commit.service systemd-hwdb-update.service systemd-journal-catalog-update.service \
  ldconfig.service systemd-firstboot.service systemd-binfmt.service sys-kernel-debug.mount sys-kernel-tracing.mount \
  dev-hugepages.mount dev-mqueue.mount systemd-journal-flush.service systemd-sysusers.service; do
  ln -sf /dev/null "$units/$unit"
done
ln -sf /lib/systemd/system/multi-user.target "$units/default.target"

# The scripts and units that users run; in each service's unit a stand-in is what it starts.
install -d "$root/usr/libexec/pilotlight/first-boot" "$root/opt/stand-ins"
install -m 755 "$boot_assets"/first-boot/*.sh "$root/usr/libexec/pilotlight/first-boot/"
install -m 644 "$boot_assets"/first-boot/health-checks.json "$root/usr/libexec/pilotlight/first-boot/"
cp -r "$boot_assets"/units/. "$units/"
install -m 755 "$stand_ins"/stand-in-* "$root/opt/stand-ins/"
cat "$certs/cert.pem" "$certs/key.pem" >"$root/opt/stand-ins/service.pem"
cp "$certs/ca.pem" "$root/opt/stand-ins/ca.pem"
echo 'chainfire:x:900:' >>"$root/etc/group"
echo 'chainfire:x:900:900::/var/lib/chainfire:/usr/sbin/nologin' >>"$root/etc/passwd"
chown 0:900 "$root/opt/stand-ins/service.pem"
chmod 640 "$root/opt/stand-ins/service.pem"
for unit in "$boot_assets"/units/*.service; do ln -sf "../$(basename "$unit")" "$wants/"; done
for service in chainfire flaredb iam plasmavmc prismnet flashdns fiberlb lightningstor k8shost; do
  printf '[Unit]\nDescription=Stand-in for %s\n[Service]\nNotifyAccess=all\nExecStart=\nExecStart=/opt/stand-ins/stand-in-service %s\n' \
    "$service" "$service" >"$units/$service.service.d/stand-in.conf"
done
for unit in chainfire-cluster-join flaredb-cluster-join iam-initial-setup cluster-health-check pilotlight-config; do
  mkdir -p "$units/$unit.service.d"
  printf '[Service]\nStandardOutput=journal+console\n' >"$units/$unit.service.d/console.conf"
done
mkdir -p "$root/nix/store/demo-system"
ln -s /lib/systemd/systemd "$root/nix/store/demo-system/init"

mksquashfs "$root" "$work/root.squashfs" -comp zstd -Xcompression-level 6 -b 256K -noappend -no-progress -quiet >/dev/null

# Stage 1: busybox, the modules for the root and for the network, and what fetches the root where it is not inside.
stage1=$work/stage1
mkdir -p "$stage1"/{bin,proc,sys,dev,mnt,lib/modules}
cp "$root/bin/busybox" "$stage1/bin/" 2>/dev/null || cp "$root/usr/bin/busybox" "$stage1/bin/"
# modules_for PURPOSE MODULE..   leaves them with the order in which they are loaded.
modules_for() {
  local purpose=$1 file
  shift
  for file in $(closure "$@"); do
    cp "$modules/$file" "$stage1/lib/modules/"
    basename "$file" >>"$stage1/lib/modules/$purpose"
  done
  touch "$stage1/lib/modules/$purpose"
}
modules_for root loop squashfs overlay
modules_for network virtio_pci virtio_net e1000 af_packet
install -m 755 "$boot_assets/initrd/fetch-squashfs.sh" "$stage1/bin/"
cat >"$stage1/bin/leased" <<'LEASED'
#!/bin/busybox sh
# What udhcpc calls with what it was given.
b=/bin/busybox
[ "$1" = bound ] || exit 0
$b ip address add "$ip/$mask" dev "$interface"
[ -z "${router:-}" ] || $b ip route add default via "${router%% *}"
LEASED
cat >"$stage1/bin/fetch-root" <<'FETCH'
#!/bin/busybox sh
# fetch-root DIRECTORY MAC   by the port that the machine booted from; stage 2 asks for the same address again.
b=/bin/busybox
for m in $($b cat /lib/modules/network); do $b insmod "/lib/modules/$m"; done
want=$(echo "$2" | $b tr - :)
port=
for each in /sys/class/net/*; do [ "$($b cat "$each/address")" != "$want" ] || port=${each##*/}; done
if [ -z "$port" ]; then
  echo "stage 1: no network port has the address $want that this machine booted from"
  exit 1
fi
$b ip link set lo up
$b ip link set "$port" up
if ! $b udhcpc -i "$port" -f -q -n -t 15 -T 2 -s /bin/leased; then
  echo "stage 1: no DHCP server answered on $port"
  exit 1
fi
/bin/busybox sh /bin/fetch-squashfs.sh "$1" || exit 1
$b ip address flush dev "$port"
FETCH
chmod 755 "$stage1/bin/leased" "$stage1/bin/fetch-root"
cat >"$stage1/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
for m in $($b cat /lib/modules/root); do $b insmod /lib/modules/$m; done
for a in $($b cat /proc/cmdline); do case $a in init=*) init=${a#init=};; pilotlight.mac=*) mac=${a#*=};; esac; done
# Looks again at the boot script, which may name another image by then.
restart() { echo "stage 1: $1; restarting in 10 s" >/dev/console; $b sleep 10; $b reboot -f; }
squashfs=/root.squashfs
if [ ! -e $squashfs ]; then
  squashfs=/fetched/root.squashfs
  /bin/fetch-root /fetched "$mac" >/dev/console 2>&1 || restart "no root filesystem"
fi
$b mkdir -p /mnt/ro /mnt/rw /mnt/root
$b mount -t squashfs -o loop,ro $squashfs /mnt/ro || restart "$squashfs cannot be mounted"
$b mount -t tmpfs -o mode=755 rw /mnt/rw
$b mkdir /mnt/rw/upper /mnt/rw/work
$b mount -t overlay -o lowerdir=/mnt/ro,upperdir=/mnt/rw/upper,workdir=/mnt/rw/work root /mnt/root
$b mount --move /dev /mnt/root/dev; $b umount /sys; $b umount /proc
echo "stage 1: handing over to $init" >/mnt/root/dev/console
exec $b switch_root /mnt/root "$init"
INIT
chmod +x "$stage1/init"
pack() { (cd "$stage1" && find . -print0 | LC_ALL=C sort -z | cpio -0 -o -H newc --quiet -R 0:0) | zstd -q -1 -T2 >"$1"; }
mkdir "$out/container" "$out/separate"
ln "$work/root.squashfs" "$out/container/root.squashfs"
ln "$work/root.squashfs" "$out/separate/root.squashfs"
ln "$out/bzImage" "$out/separate/bzImage"
pack "$out/separate/initrd"
mv "$work/root.squashfs" "$stage1/"
pack "$out/initrd"

cat >"$out/netboot.ipxe" <<'IPXE'
#!ipxe
kernel bzImage init=/nix/store/demo-system/init initrd=initrd console=ttyS0 panic=-1 net.ifnames=0 mitigations=off no_timer_check quiet systemd.show_status=yes ${cmdline}
initrd initrd
boot
IPXE
cp "$out/netboot.ipxe" "$out/separate/netboot.ipxe"

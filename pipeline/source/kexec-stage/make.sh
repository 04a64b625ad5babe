# Makes the stage that a kexec'd kernel starts with, and takes the kernel out of the root filesystem.
# make.sh ROOT OUT EPOCH BUSYBOX [KERNEL]: writes OUT/vmlinuz and OUT/stage; ends with 3 when ROOT does not have exactly one
# kernel, or not the one that is named.
set -eu
root=$1 out=$2 epoch=$3 busybox=$4
here=$(dirname "$0")
kernel=${5:-}
if [ -n "$kernel" ]; then
  set -- "$root/$kernel"
  # Otherwise a link of the tree would be followed out of it.
  [ ! -L "$1" ] || set -- "$root/missing"
else
  set -- "$root"/boot/vmlinuz-*
fi
if [ $# -ne 1 ] || [ ! -f "$1" ]; then
  [ -f "$1" ] || set --
  echo "kernels: $#" >&2
  exit 3
fi
release=${1##*/vmlinuz-}
# A kernel of another name: that of the only modules.
[ -d "$root/lib/modules/$release" ] || release=$(ls "$root/lib/modules")
cp "$1" "$out/vmlinuz"
# Nothing starts from there: kernel and initrd come over the network. The links are those that bootloaders read.
find "$root/boot" -mindepth 1 -delete
rm -f "$root/vmlinuz" "$root/vmlinuz.old" "$root/initrd.img" "$root/initrd.img.old"

tree=$out/stage-tree
mkdir -p "$tree/bin" "$tree/modules"
install -m 755 "$here/init" "$tree/init"
install -m 755 "$busybox" "$tree/bin/busybox"
# Each with what it needs before it; what is built in needs nothing.
for name in loop squashfs overlay; do
  modprobe --dirname="$root" --set-version="$release" --show-depends "$name" || echo "missing $name"
done >"$out/needed"
if grep '^missing' "$out/needed" >&2; then exit 4; fi
sed -n 's/^insmod \([^ ]*\).*/\1/p' "$out/needed" | awk '!seen[$0]++' >"$out/modules"
: >"$tree/modules/order"
while read -r path; do
  name=$(basename "$path")
  case $name in
    *.xz) xz -dc "$path" >"$tree/modules/${name%.xz}" ;;
    *.zst) zstd -qdc "$path" >"$tree/modules/${name%.zst}" ;;
    *) cp "$path" "$tree/modules/$name" ;;
  esac
  name=${name%.xz}
  echo "${name%.zst}" >>"$tree/modules/order"
done <"$out/modules"

cd "$tree"
chmod -R u=rwX,go=rX .
find . -exec touch --no-dereference --date="@$epoch" {} +
find . | LC_ALL=C sort | cpio --create --format=newc --owner=0:0 --reproducible --quiet >"$out/stage.cpio"
zstd --quiet -19 -T1 "$out/stage.cpio" -o "$out/stage"

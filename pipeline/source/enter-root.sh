# Runs a command in a root directory that stays untouched: the directory is the lower layer of an overlay in memory.
# Called inside mount, pid and network namespaces of its own, so that nothing is left behind in whatever way it ends.
# enter-root.sh ROOT SCRATCH CWD [bind|bind-ro SOURCE TARGET]... -- COMMAND...
set -eu
root=$1 scratch=$2 cwd=$3
shift 3
mount -t tmpfs -o mode=0755,size=75% scratch "$scratch"
mkdir "$scratch/lower" "$scratch/upper" "$scratch/work" "$scratch/root"
# Bound and named relatively: a colon or comma in the path would end the option.
mount --bind "$root" "$scratch/lower"
(cd "$scratch" && mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay root)
target=$scratch/root
mount -t proc proc "$target/proc"
mount --rbind /sys "$target/sys"
mount --rbind /dev "$target/dev"
while [ "$1" != -- ]; do
  mkdir -p "$target$3"
  mount --bind "$2" "$target$3"
  [ "$1" = bind ] || mount -o remount,bind,ro "$target$3"
  shift 3
done
shift
exec chroot "$target" /bin/sh -c 'cd "$0" && exec "$@"' "$cwd" "$@"

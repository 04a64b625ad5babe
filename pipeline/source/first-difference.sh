# Names the first path that two squashfs images have differently, and what of it differs; says nothing where all paths are the same.
# first-difference.sh OFFSET OFFSET: /work/image-0 and /work/image-1
set -eu
export LC_ALL=C
for number in 0 1; do
  unsquashfs -quiet -no-progress -offset "$1" -dest "/work/tree-$number" "/work/image-$number" >/dev/null
  shift
  cd "/work/tree-$number"
  # One line a path: it, and all that is compared. Sizes of folders are the file system's own.
  find . -mindepth 0 \( -type d -printf '%P\t%y %m %U:%G %T@\n' \) -o -printf '%P\t%y %m %U:%G %T@ %s %l\n' | sort >"/work/list-$number"
done
cd /work
listed=$(diff list-0 list-1 | sed -n 's/^[<>] //p' | cut -f 1 | sort | head -n 1) || true
content=$(cd tree-0 && find . -type f | sort | while read -r path; do
  cmp -s "$path" "/work/tree-1/$path" || { echo "${path#./}"; break; }
done)
# By content where there is one that differs: a folder's date only follows from what is in it.
path=${content:-$listed}
[ -n "$content$listed" ] || exit 0
say() { grep -F "$path	" "list-$1" | awk -F '\t' -v path="$path" '$1 == path { print $2 }'; }
one=$(say 0) other=$(say 1)
if [ "$one" = "$other" ]; then
  echo "/$path has another content"
elif [ -z "$one" ] || [ -z "$other" ]; then
  echo "/$path is in one of them only"
else
  echo "/$path was ($one) and is ($other): type, mode, owner, date, size, target"
fi

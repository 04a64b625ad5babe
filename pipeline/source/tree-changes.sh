# list OUT: writes a listing of /work/root; see tree-changes.ts.
# copy: makes /work/changes of what /work/kept names, with whiteouts (overlayfs: a character device 0:0) for what /work/removed names.
set -eu
export LC_ALL=C
case $1 in
  list)
    find /work/root -mindepth 1 -printf '%y %m %U:%G %i %C@ %s %P\0' >"/work/$2"
    ;;
  copy)
    mkdir /work/changes
    cd /work/changes
    # Before their folders get mode and date by tar.
    while IFS= read -r -d '' path; do
      case $path in */*) mkdir -p "./${path%/*}" ;; esac
      mknod "./$path" c 0 0
    done </work/removed
    set -- --xattrs --xattrs-include='*' --numeric-owner
    tar --create "$@" --directory=/work/root --no-recursion --null --verbatim-files-from --files-from=/work/kept --file=- |
      tar --extract "$@" --same-permissions --delay-directory-restore --file=-
    ;;
esac

#!/usr/bin/env bash
# Proves the README's commands on a bare Debian 12, as a newcomer finds it. It needs Debian, root,
# the network and some minutes, so it is not part of `make test`.
#
#   bash .ci/bare.sh               as a normal user: clone, then `make`
#   bash .ci/bare.sh test          … then `make test`; any targets and variables of make will do
#   bash .ci/bare.sh --ci          as root, with nothing but certificates there: `bash .ci/run`
#   bash .ci/bare.sh --binder      the steps of Binder's image (pip for conda), then a session in it
#
# Before these:
#   --worktree                     take the files as they are here, committed or not
#   --without "git python3-venv"   leave packages out, to see what you are told then
#   --with "bubblewrap chromium"   put more packages in
#
# The Debian is put into a temporary folder and is gone at the end. This machine lends it its
# resolver, certificates and proxy variables, and nothing else.
set -euo pipefail

((EUID == 0)) || {
  echo "bare.sh builds a small Debian: run it as root (sudo bash .ci/bare.sh)." >&2
  exit 1
}

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
packages=(ca-certificates git make python3 python3-venv)
user=learner worktree= binder= suite=bookworm
while (($#)); do
  case $1 in
    --ci) user=root packages=(ca-certificates) ;;
    --binder)
      # Its Python must be one that the pins are for.
      binder=yes suite=trixie packages=(ca-certificates python3 python3-venv)
      mapfile -t -O "${#packages[@]}" packages < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$source/binder/apt.txt")
      ;;
    --worktree) worktree=yes ;;
    --with)
      read -ra more <<<"$2"
      packages+=("${more[@]}")
      shift
      ;;
    --without)
      kept=()
      for package in "${packages[@]}"; do
        [[ " $2 " == *" $package "* ]] || kept+=("$package")
      done
      packages=("${kept[@]}")
      shift
      ;;
    *) break ;;
  esac
  shift
done

root=$(mktemp -d "${TMPDIR:-/tmp}/bare-XXXXXX")
trap 'rm -rf --one-file-system "$root" "$root.log"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$root"

lap=$SECONDS
took() {
  echo "── $1: $((SECONDS - lap)) s"
  lap=$SECONDS
}

if ! command -v debootstrap >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
fi
debootstrap --variant=minbase --include="$(IFS=, && echo "${packages[*]}")" \
  "$suite" "$root" http://deb.debian.org/debian >"$root.log" 2>&1 || {
  tail -n 20 "$root.log" >&2
  exit 1
}
# debootstrap knows one source; a Debian as people have it gets security updates, too.
echo "deb http://deb.debian.org/debian-security $suite-security main" \
  >"$root/etc/apt/sources.list.d/security.list"
took "Debian $suite with ${packages[*]}"

cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
mkdir -p "$root/etc/ssl/certs"
cp -RL /etc/ssl/certs/. "$root/etc/ssl/certs/" 2>/dev/null || true # a dangling link is no loss
lent=()
for name in {http,https,no,all}_proxy {HTTP,HTTPS,NO,ALL}_PROXY \
  PIP_CERT SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO; do
  [[ -z ${!name:-} ]] || lent+=("$name=${!name}")
done

home=/root
if [[ $user != root ]]; then
  home=/home/$user
  chroot "$root" useradd --create-home --shell /bin/bash "$user"
fi
course=$root$home/course
git() { command git -c safe.directory="$source" -c user.name=bare -c user.email=bare@localhost "$@"; }
if [[ -n $worktree ]]; then
  mkdir "$course"
  git -C "$source" ls-files -z --cached --others --exclude-standard --deduplicate |
    tar -C "$source" --null -T - --ignore-failed-read -cf - | tar -C "$course" -xf -
  git -C "$course" init -q -b main
  git -C "$course" add -A
  git -C "$course" commit -q -m "The files as they are"
else
  git clone -q --no-local "$source" "$course"
fi
chroot "$root" chown -R "$user:" "$home"
took "a clone of the course"

if [[ -n $binder ]]; then
  shown="bash .ci/binder.sh" command=(bash .ci/binder.sh)
elif [[ $user == root ]]; then
  shown="bash .ci/run $*" command=(env CI=true bash .ci/run "$@")
else
  shown="make $*" command=(make "$@")
fi
# Mounts and processes live in namespaces of their own and vanish with them: the clean-up above
# cannot reach through them. pivot_root instead of chroot, in which bubblewrap would not work.
code=0
unshare --mount --pid --fork --kill-child -- sh -euc '
  mount --bind "$1" "$1"
  mount --rbind /dev "$1/dev"
  mount -t proc proc "$1/proc"
  cd "$1"
  pivot_root . .
  umount -l .
  cd "$2/course"
  shift 2
  exec "$@"
' sh "$root" "$home" \
  runuser -u "$user" -- env -i HOME="$home" USER="$user" LANG=C.UTF-8 \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${lent[@]}" \
  "${command[@]}" </dev/null || code=$?
took "$shown, exit code $code"
exit "$code"

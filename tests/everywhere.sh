#!/usr/bin/env bash
# The quick tests where machines differ, one situation after the other, and a table of how they ended.
#
#   tests/everywhere.sh [SITUATION ...]     all of them unless named; SEEDS="1 2 3" for the random orders
#
# folder     a clone with its own environment, in a folder with a space and letters that are not ASCII
# home       HOME is an empty folder
# homeless   no HOME
# locale     LANG=C and LC_ALL=C
# bare       a PATH without browsers and without ffmpeg
# busy       beside two busy loops
# order      in random order, once for each of SEEDS
# all-order  everything, not only the quick tests, in random order, once for each of SEEDS
# pythons    each of python3.11 to python3.14 that is here, with its own environment
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD work=$(mktemp -d) seeds=${SEEDS:-1 2 3} table=()
trap 'rm -rf "$work"' EXIT
quick="not slow and not browser and not processes and not docs"

told() { # NAME COMMAND...: runs it, and adds a row
  local name=$1 log="$work/log" start=$SECONDS how=passed
  shift
  echo "== $name"
  "$@" > "$log" 2>&1 || { how=FAILED; tail -n 60 "$log"; }
  table+=("$(printf '%-10s %-7s %5s s  %s' "$name" "$how" $((SECONDS - start)) "$(tail -n 1 "$log")")")
}

tests() { # here, with the environment that `make test` has made
  OMP_NUM_THREADS=1 PYTHONPATH="$root/src" "$root/.venv/bin/python" -m pytest \
    -n auto --maxprocesses 4 --dist loadgroup -p no:cacheprovider "$@"
}

cloned() { # FOLDER PYTHON: a clone there, set up by its own Makefile
  git clone --quiet "$root" "$1" && make -C "$1" PYTHON="$2" test
}

without_home() (
  unset HOME
  tests -m "$quick"
)

for situation in ${@:-folder home homeless locale bare busy order pythons}; do
  case $situation in
    folder) told folder cloned "$work/a clone, naïve 雨/clipsonic" "${PYTHON:-python3}" ;;
    home)
      mkdir -p "$work/home"
      HOME="$work/home" told home tests -m "$quick"
      ;;
    homeless) told homeless without_home ;;
    locale) LC_ALL=C LANG=C told locale tests -m "$quick" ;;
    bare)
      mkdir -p "$work/bin"
      for program in /bin/* /usr/bin/* /usr/local/bin/*; do
        case "${program##*/}" in *chrom* | ff* | apt*) ;; *) ln -sf "$program" "$work/bin/" ;; esac
      done
      PATH="$work/bin" told bare tests -m "$quick or browser"
      ;;
    busy)
      (while :; do :; done) & one=$!
      (while :; do :; done) & two=$!
      told busy tests -m "$quick"
      kill "$one" "$two"
      ;;
    order) for seed in $seeds; do told "order $seed" tests -m "$quick" --shuffle "$seed"; done ;;
    all-order) for seed in $seeds; do told "all $seed" tests --shuffle "$seed"; done ;;
    pythons)
      for minor in 11 12 13 14; do
        python=$(command -v "python3.$minor" || true)
        if [[ -n $python ]] && "$python" -c '' 2> /dev/null; then
          told "3.$minor" cloned "$work/python3.$minor" "$python"
        else
          table+=("3.$minor       not here")
        fi
      done
      ;;
    *) echo "no situation '$situation'; see the head of $0" >&2; exit 2 ;;
  esac
done
printf '%s\n' "${table[@]}"
[[ "${table[*]}" != *FAILED* ]]

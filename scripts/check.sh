# shellcheck shell=bash
# shellcheck disable=SC2154  # `root` is set by ./dev
# ./dev fmt and ./dev lint.

# cxx_files: every C++ file of ours, separated by NUL; also those that git does not know yet.
cxx_files() {
  local folders=() folder
  for folder in src tests bench tools; do
    [[ ! -d $root/$folder ]] || folders+=("$root/$folder")
  done
  find "${folders[@]}" -type f \( -name '*.cc' -o -name '*.h' \) -print0 | sort -z
}

cmd_fmt() {
  [[ $# -eq 0 || ($# -eq 1 && $1 == --check) ]] || fail "fmt takes no argument or --check"
  cmd_setup lint
  local format=(clang-format-19 "--style=file:$root/.clang-format") file unformatted=0
  if [[ $# -eq 0 ]]; then
    cxx_files | xargs -0 -r "${format[@]}" -i
    return
  fi
  while IFS= read -r -d '' file; do
    if ! "${format[@]}" "$file" | cmp -s - "$file"; then
      say "not formatted: ${file#"$root"/}"
      unformatted=$((unformatted + 1))
    fi
  done < <(cxx_files)
  [[ $unformatted -eq 0 ]] || fail "$unformatted file(s) are not formatted; ./dev fmt does it"
}

# clang-tidy takes up to half a minute a file, so `lint --changed` has limits: how far it looks back, and how many files it takes.
readonly lint_commits=10
readonly lint_files_max=12

# lint_base: the commit since which `lint --changed` looks: where this branch left origin/main. In a clone of main itself, or without an
# origin, that is HEAD and would say nothing; then it is the one lint_commits before, or the oldest that a shallow clone has.
lint_base() {
  local head base
  head=$(git -C "$root" rev-parse --verify HEAD) || fail "lint --changed takes a checkout of git with a commit"
  base=$(git -C "$root" merge-base HEAD refs/remotes/origin/main 2>/dev/null) || base=$head
  [[ $base != "$head" ]] || base=$(git -C "$root" rev-list --first-parent --max-count=$((lint_commits + 1)) HEAD | tail -n 1)
  printf '%s' "$base"
}

# changed_sources BASE: the files of src/ to check since then, one a line, the latest change first. For a header, the source of its name.
changed_sources() {
  local base=$1 path
  {
    git -C "$root" diff --name-only HEAD -- src
    git -C "$root" ls-files --others --exclude-standard -- src
    git -C "$root" log --format= --name-only "$base..HEAD" -- src
  } | sed -n 's/\.h$/.cc/; /\.cc$/p' | awk '!seen[$0]++' | while IFS= read -r path; do
    [[ $path == *boost*_src.cc || ! -f $root/$path ]] || printf '%s\n' "$path"
  done
}

cmd_lint() {
  [[ $# -eq 0 || ($# -eq 1 && $1 == --changed) ]] || fail "lint takes no argument or --changed"
  local failed=() base="" files=() patterns=() path
  if [[ $# -eq 1 ]]; then
    base=$(lint_base) || exit
    mapfile -t files < <(changed_sources "$base")
  fi
  cmd_setup lint

  say "dev: formatting"
  (cmd_fmt --check) || failed+=(fmt)

  say "dev: shell scripts"
  find "$root/dev" "$root/.ci/run" "$root/scripts" "$root/bench" "$root/tests" "$root/deploy" -type f ! -path '*/node_modules/*' \
    \( -name '*.sh' -o -path "$root/dev" -o -path "$root/.ci/run" -o -path "$root/deploy/debian/p*" \) -print0 |
    xargs -0 shellcheck --source-path="$root" --severity=style || failed+=(shellcheck)

  if [[ -z $base ]]; then
    say "dev: clang-tidy over src/ (a file that includes Beast takes half a minute)"
    # Not the files that compile Boost itself: what they hold is not ours.
    patterns=("^$(regex_quote "$root")/src/(?!.*boost.*_src).*\.cc$")
  else
    say "dev: clang-tidy over the files of src/ that have changed since ${base:0:12}: ${#files[@]}"
    if [[ ${#files[@]} -gt $lint_files_max ]]; then
      say "dev: only the $lint_files_max that were changed last; ./dev lint takes all"
      files=("${files[@]:0:lint_files_max}")
    fi
    for path in "${files[@]}"; do patterns+=("^$(regex_quote "$root/$path")$"); done
  fi
  if [[ ${#patterns[@]} -gt 0 ]]; then
    (configure release tests) || exit
    run-clang-tidy-19 -clang-tidy-binary clang-tidy-19 -p "$root/build/release" -j 2 -quiet "${patterns[@]}" || failed+=(clang-tidy)
  fi

  [[ ${#failed[@]} -eq 0 ]] || fail "lint has findings, see above: ${failed[*]}"
  say "dev: lint is clean"
}

regex_quote() { printf '%s' "$1" | sed 's/[][\\.*^$+?(){}|]/\\&/g'; }

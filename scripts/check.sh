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

cmd_lint() {
  [[ $# -eq 0 ]] || fail "lint takes no arguments"
  local failed=()
  cmd_setup lint

  say "dev: formatting"
  (cmd_fmt --check) || failed+=(fmt)

  say "dev: shell scripts"
  find "$root/dev" "$root/.ci/run" "$root/scripts" "$root/bench" "$root/tests" "$root/deploy" -type f ! -path '*/node_modules/*' \
    \( -name '*.sh' -o -path "$root/dev" -o -path "$root/.ci/run" -o -path "$root/deploy/debian/p*" \) -print0 |
    xargs -0 shellcheck --source-path="$root" --severity=style || failed+=(shellcheck)

  say "dev: clang-tidy over src/ (a file that includes Beast takes half a minute)"
  (configure release tests) || exit
  # Not the files that compile Boost itself: what they hold is not ours.
  run-clang-tidy-19 -clang-tidy-binary clang-tidy-19 -p "$root/build/release" -j 2 -quiet \
    "^$(regex_quote "$root")/src/(?!.*boost_src).*\.cc$" || failed+=(clang-tidy)

  [[ ${#failed[@]} -eq 0 ]] || fail "lint has findings, see above: ${failed[*]}"
  say "dev: lint is clean"
}

regex_quote() { printf '%s' "$1" | sed 's/[][\\.*^$+?(){}|]/\\&/g'; }

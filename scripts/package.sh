# shellcheck shell=bash
# shellcheck disable=SC2154  # `root` is set by ./dev
# ./dev package: the Debian package, for this machine's release of Debian and its architecture.

cmd_package() {
  [[ $# -eq 0 ]] || fail "package takes no arguments"
  local system folder=$root/build/package file
  system=$(system_name)
  [[ -n ${boost_of[$system]:-} ]] || fail "a package is made on Debian 12 or 13; this is $system" \
    "./dev test bare bookworm shows how a Debian 12 can be had in a folder."
  cmd_setup package
  # A build without pages is for those who work on the program. It is not for those who install it.
  npm_install pages || fail "npm could not bring what the pages are built from (see above), and no package is made without them"
  build release holdfast
  build release package_files
  rm -rf -- "$folder"
  mkdir -p "$folder"
  if ! (cd "$folder" && cpack -G DEB --config "$root/build/release/CPackConfig.cmake" -B "$folder") >"$folder/cpack.log" 2>&1; then
    cat "$folder/cpack.log" >&2
    fail "CPack could not make the package, see above"
  fi
  rm -rf -- "$folder/_CPack_Packages"
  for file in "$folder"/holdfast_*.deb; do
    [[ -e $file ]] || fail "CPack made no package, see $folder/cpack.log"
    printf '%s\n' "$file"
  done
}

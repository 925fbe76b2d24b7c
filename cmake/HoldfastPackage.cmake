# The Debian package, made by CPack out of what install() puts in place (./dev package). Its dependencies are computed from the program
# (dpkg-shlibdeps), so a package is for the release of Debian that it was built on, and its version says which.

file(READ "/etc/os-release" os_release)
string(REGEX MATCH "(^|\n)ID=\"?([a-z]+)" _ "${os_release}")
set(system "${CMAKE_MATCH_2}")
string(REGEX MATCH "(^|\n)VERSION_ID=\"?([0-9]+)" _ "${os_release}")
if(NOT system STREQUAL "debian")
  return()
endif()
set(debian_version "${PROJECT_VERSION}+deb${CMAKE_MATCH_2}")
set(debian "${CMAKE_SOURCE_DIR}/deploy/debian")

# Of the release that it was built on, as a newcomer to the folder reads it: version, date and what is new stand in CHANGELOG.md.
set(changelog "${CMAKE_BINARY_DIR}/changelog.gz")
add_custom_command(OUTPUT "${changelog}"
  COMMAND sh "${debian}/changelog.sh" "${debian_version}" "${CMAKE_SOURCE_DIR}/CHANGELOG.md" > "${CMAKE_BINARY_DIR}/changelog"
  COMMAND "${HOLDFAST_GZIP}" -9nf "${CMAKE_BINARY_DIR}/changelog"
  DEPENDS "${debian}/changelog.sh" "${CMAKE_SOURCE_DIR}/CHANGELOG.md" VERBATIM)
set(conffile "${CMAKE_BINARY_DIR}/holdfast.toml")
add_custom_command(OUTPUT "${conffile}"
  COMMAND sh "${debian}/conffile.sh" "${CMAKE_BINARY_DIR}/documents/holdfast.toml" > "${conffile}"
  DEPENDS "${CMAKE_BINARY_DIR}/documents/holdfast.toml" "${debian}/conffile.sh" VERBATIM)
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)   # not the tests
add_custom_target(package_files DEPENDS holdfast_documents "${changelog}" "${conffile}")

# Debian 12 looks for units below /lib, which is /usr/lib there and later.
set(units "/usr/lib/systemd/system")
if(debian_version MATCHES "deb12$")
  set(units "/lib/systemd/system")
endif()
install(FILES "${CMAKE_SOURCE_DIR}/deploy/holdfast.service" DESTINATION "${units}")
install(FILES "${conffile}" DESTINATION "/etc/holdfast")
install(DIRECTORY DESTINATION "/var/lib/holdfast")
install(FILES "${debian}/copyright" "${CMAKE_SOURCE_DIR}/CHANGELOG.md" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(FILES "${changelog}" DESTINATION "${CMAKE_INSTALL_DOCDIR}" RENAME changelog.gz)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME holdfast)
set(CPACK_PACKAGE_VENDOR "Holdfast")
set(CPACK_PACKAGE_CONTACT "Holdfast maintainers <holdfast@users.noreply.github.com>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "seat-hold engine of a ticketing platform")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Holdfast decides, seat by seat, who has it and until when: never two owners,
nothing answered is lost, every hold ends on time. It runs alone on one
machine with its data in one folder, or as many nodes over PostgreSQL, with
Redis and Kafka where a platform has them.")
set(CPACK_DEBIAN_PACKAGE_VERSION "${debian_version}")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)   # holdfast_VERSION_ARCHITECTURE.deb
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, init-system-helpers (>= 1.54)")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "postgresql, redis-server")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${debian}/conffiles;${debian}/postinst;${debian}/prerm;${debian}/postrm")
set(CPACK_PACKAGING_INSTALL_PREFIX "/usr")
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
include(CPack)

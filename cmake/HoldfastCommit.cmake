# Writes OUT from TEMPLATE with the commit of the tree SOURCE, and only when that has changed. Each build runs it: cmake -P.
#
#   COMMIT   if set, taken as it is: for a build of a source archive, which has no git
#
# @id@ becomes 12 digits, or nothing when neither git nor COMMIT knows; @modified@ whether files that git follows differ from the commit.
set(id "")
set(modified false)
if(COMMIT)
  if(NOT COMMIT MATCHES "^[0-9a-f]+$")
    message(FATAL_ERROR "HOLDFAST_COMMIT is '${COMMIT}'; it must be a commit's hash in lower case")
  endif()
  string(SUBSTRING "${COMMIT}" 0 12 id)
else()
  set(ENV{GIT_OPTIONAL_LOCKS} 0)
  find_program(git git)
  if(git)
    execute_process(COMMAND "${git}" -C "${SOURCE}" rev-parse --show-toplevel HEAD
      OUTPUT_VARIABLE said RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    file(REAL_PATH "${SOURCE}" source)
    # An archive that was unpacked inside another project's checkout is not of that project's commit.
    if(NOT failed AND said MATCHES "^([^\n]*)\n([0-9a-f]+)$" AND CMAKE_MATCH_1 STREQUAL source)
      string(SUBSTRING "${CMAKE_MATCH_2}" 0 12 id)
      execute_process(COMMAND "${git}" -C "${SOURCE}" diff --quiet HEAD RESULT_VARIABLE differs ERROR_QUIET)
      if(differs)
        set(modified true)
      endif()
    endif()
  endif()
endif()
configure_file("${TEMPLATE}" "${OUT}" @ONLY)   # leaves a file alone that would stay the same

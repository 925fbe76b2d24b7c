# The compiler's settings that hold for everything in the project.

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "Holdfast is built with clang-19: g++ 12 miscompiles coroutines. "
                      "Use ./dev build, or pass -DCMAKE_CXX_COMPILER=clang++-19.")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

# Assertions of the project (core/check.h) do not depend on NDEBUG: they stay on in what ships.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")

find_program(HOLDFAST_CCACHE ccache)
if(HOLDFAST_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER "${HOLDFAST_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${HOLDFAST_CCACHE}")
endif()
find_program(HOLDFAST_MOLD mold)
if(HOLDFAST_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Optimizing what a sanitizer has added takes as long as all else of a compilation, and most tests wait rather than compute. Under
# ThreadSanitizer the rooms are optimized a little, as their races need speed.
if(HOLDFAST_SANITIZE STREQUAL "address")
  set(CMAKE_CXX_FLAGS_RELEASE "-O0 -g1 -DNDEBUG")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(HOLDFAST_SANITIZE STREQUAL "thread")
  set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1 -DNDEBUG")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(HOLDFAST_SANITIZE)
  message(FATAL_ERROR "HOLDFAST_SANITIZE is '${HOLDFAST_SANITIZE}'; it can be empty, address or thread")
endif()

if(HOLDFAST_FUZZ)
  if(NOT HOLDFAST_SANITIZE STREQUAL "address")
    message(FATAL_ERROR "HOLDFAST_FUZZ takes HOLDFAST_SANITIZE=address, which is '${HOLDFAST_SANITIZE}'")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)   # what guides the search; only the targets have libFuzzer's main()
endif()

add_compile_options(-fstack-protector-strong)
add_compile_definitions(
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  SPDLOG_NO_SOURCE_LOC SPDLOG_FMT_EXTERNAL)

# holdfast_library(name SOURCES … DEPENDS …): a room of the house, with the warnings that every room has.
set(HOLDFAST_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)

function(holdfast_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC "${CMAKE_SOURCE_DIR}/src")
  target_compile_options(${name} PRIVATE ${HOLDFAST_WARNINGS})
  target_link_libraries(${name} PUBLIC ${arg_DEPENDS})
endfunction()

# holdfast_test(name SOURCES … DEPENDS … [TIMEOUT s] [RUN_SERIAL] [RECORDED] [BOTH_LEDGERS] [SERVICES postgresql redis kafka]
# [PREFIX text] [HISTORIES name] [CHECKS_HISTORIES]): one test program, one entry in ctest by test case.
# RECORDED: its exchanges with the program are kept, and compared with the OpenAPI document by the test openapi.exchanges_are_described;
# not under a sanitizer, which has no such test.
# HISTORIES: its operations on seats are kept, and checked by the test linearizability.NAME (tests/linearizability); not under a sanitizer.
# CHECKS_HISTORIES: it runs the checker HOLDFAST_LINEARIZABILITY itself, where that could be built; not together with RECORDED or HISTORIES.
# SERVICES: `./dev test` starts these before and ends them after; the tests reach them by tests/support/services.h. Those of Kafka run alone:
# a broker that shares two cores with other tests answers too late for its clients. Without HOLDFAST_SERVICES_TESTS there is no such program.
# BOTH_LEDGERS: the program is run once more (InDatabase.NAME), with servers whose ledger is in PostgreSQL.
# IN_SEGMENTS filter: those of its tests that the filter (Google Test's) takes are run once more, as NAME.segments, with journals in segment
# files (tests/ledger/ledger_in_test.h).
# PREFIX: before the names in ctest, where the same sources are tested in two places.
set(HOLDFAST_EXCHANGES "${CMAKE_BINARY_DIR}/exchanges")
set(HOLDFAST_HISTORIES "${CMAKE_BINARY_DIR}/histories")   # a folder for each NAME of HISTORIES
function(holdfast_test name)
  cmake_parse_arguments(arg "RUN_SERIAL;RECORDED;BOTH_LEDGERS;CHECKS_HISTORIES" "TIMEOUT;PREFIX;HISTORIES;IN_SEGMENTS" "SOURCES;DEPENDS;SERVICES" ${ARGN})
  if(arg_SERVICES AND NOT HOLDFAST_SERVICES_TESTS)
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/src" "${CMAKE_SOURCE_DIR}/tests")
  target_compile_options(${name} PRIVATE ${HOLDFAST_WARNINGS} "$<$<BOOL:${HOLDFAST_SANITIZE}>:-O0>")
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS} GTest::gmock GTest::gtest GTest::gtest_main)
  set(properties TIMEOUT ${arg_TIMEOUT})
  if(arg_RUN_SERIAL OR "kafka" IN_LIST arg_SERVICES)
    list(APPEND properties RUN_SERIAL TRUE)
  endif()
  if(arg_SERVICES)
    list(JOIN arg_SERVICES "," services)   # one label: gtest_discover_tests loses the limits of a list
    list(APPEND properties LABELS "services:${services}")
  endif()
  if(arg_BOTH_LEDGERS AND HOLDFAST_SERVICES_TESTS)
    target_link_libraries(${name} PRIVATE holdfast_test_in_database)
    # One entry a program: a server in a database takes a second to start, and tests of a suite share theirs.
    add_test(NAME InDatabase.${name} COMMAND ${name})
    set_tests_properties(InDatabase.${name} PROPERTIES TIMEOUT 600 LABELS "services:postgresql"
      ENVIRONMENT "HOLDFAST_TEST_LEDGER=postgresql")
  endif()
  if(arg_RECORDED AND NOT HOLDFAST_SANITIZE)
    list(APPEND properties ENVIRONMENT "HOLDFAST_TEST_RECORD=${HOLDFAST_EXCHANGES}"
      FIXTURES_REQUIRED empty_exchanges FIXTURES_SETUP exchanges)
  endif()
  if(arg_CHECKS_HISTORIES)
    target_compile_definitions(${name} PRIVATE HOLDFAST_LINEARIZABILITY="${CMAKE_BINARY_DIR}/linearizability/checker")
  endif()
  if(arg_CHECKS_HISTORIES AND NOT HOLDFAST_SANITIZE)
    list(APPEND properties FIXTURES_REQUIRED linearizability_checker)
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 600 TEST_PREFIX "${arg_PREFIX}" PROPERTIES ${properties})
  if(arg_IN_SEGMENTS)
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 600 TEST_SUFFIX .segments TEST_FILTER "${arg_IN_SEGMENTS}" TEST_LIST ${name}_in_segments_TESTS
      PROPERTIES TIMEOUT ${arg_TIMEOUT} ENVIRONMENT "HOLDFAST_TEST_JOURNAL=segments")
  endif()
  if(arg_HISTORIES AND NOT HOLDFAST_SANITIZE)
    holdfast_keep_histories(${name} ${arg_HISTORIES} "${arg_RECORDED}")
  endif()
endfunction()

# Of properties that are lists gtest_discover_tests loses the limits, and those of exchanges are needed as well. So ctest sets them, by a file
# that it reads after the list of tests.
function(holdfast_keep_histories name histories is_recorded)
  set(environment "HOLDFAST_TEST_HISTORIES=${HOLDFAST_HISTORIES}/${histories}")
  set(required "empty_histories_${histories}")
  set(setup "histories_${histories}")
  if(is_recorded)
    string(APPEND environment ";HOLDFAST_TEST_RECORD=${HOLDFAST_EXCHANGES}")
    string(APPEND required ";empty_exchanges")
    string(APPEND setup ";exchanges")
  endif()
  set(file "${CMAKE_CURRENT_BINARY_DIR}/${name}_histories.cmake")
  file(WRITE "${file}" "if(${name}_TESTS)
  set_tests_properties(\${${name}_TESTS} PROPERTIES
    ENVIRONMENT \"${environment}\" FIXTURES_REQUIRED \"${required}\" FIXTURES_SETUP \"${setup}\")
endif()
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${file}")
endfunction()

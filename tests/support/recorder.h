// Records the exchanges of tests with the program for tests/openapi/validate.mjs, which compares them with the OpenAPI document.
//
// When HOLDFAST_TEST_RECORD names a folder, record() appends one line of JSON for each exchange to a file of this process in it:
// {"method","target","requestHeaders":[[name,value]],"requestBody","status","headers":[[name,value]],"body"}. Every byte that is
// not ASCII becomes \u00XX, so that bytes that are not text survive. Any thread.
#pragma once

#include <string_view>

#include "support/client.h"

namespace holdfast::test {

// At most k_recorded_max exchanges per process and k_recorded_bytes_max bytes per exchange; the rest is not recorded.
inline constexpr int k_recorded_max = 4'000;
inline constexpr std::size_t k_recorded_bytes_max = 512 * 1024;

void record(std::string_view method, std::string_view target, std::string_view body, const Headers& headers, const Answer& answer);

}  // namespace holdfast::test

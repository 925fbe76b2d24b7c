// How many changes there are from a cursor of read_all_changes on: exact up to 10,000 steps of holdfast.change_order, else estimated.
//
// Any thread. Throws Error; std::runtime_error when `cursor` is none.
#pragma once

#include <cstdint>
#include <string_view>

#include "ledger/postgres/pool.h"

namespace holdfast::pg {

std::uint64_t count_changes_from(Pool& pool, std::string_view cursor);

}  // namespace holdfast::pg

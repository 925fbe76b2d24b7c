// Unguessable bytes for ids and tokens.
#pragma once

#include <cstdint>
#include <span>

#include "core/ids.h"
#include "core/time.h"

namespace holdfast {

// From the kernel's generator, through a buffer of each thread's. Any thread. Aborts if the kernel has none (it always has).
void fill_random(std::span<std::uint8_t> out);

Uuid random_uuid();   // version 4
Uuid new_reservation_id(EventNumber event, Millis now);

}  // namespace holdfast

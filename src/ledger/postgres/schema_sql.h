// The SQL of the schema, version by version, as migrate() runs it.
#pragma once

#include <span>
#include <vector>

namespace holdfast::pg {

// The scripts of each version, from version 1 on; a version's run in one transaction. What was published once stays as it is.
std::span<const std::vector<const char*>> schema_versions();

// Views in the schema `public`, named and typed as the platforms' contracts have them, and those for people in `holdfast`.
extern const char* const k_views_1;
extern const char* const k_views_2;
// What version 1 makes in `public`: names that must be free there.
inline constexpr const char* k_public_names[] = {"reservations", "tickets", "tickets_blocked"};

}  // namespace holdfast::pg

// The SQL of the schema, version by version, as migrate() runs it.
#pragma once

#include <span>
#include <vector>

namespace holdfast::pg {

// One version of the schema.
struct SchemaStep {
  std::vector<const char*> scripts;   // run in one transaction
  // Programs of the version before stay correct on it, whatever they read and write: it has only new tables, views and indexes, and new
  // columns that may be NULL or have a default. Decision 56 has the whole list; a step that is not on it says false.
  bool is_additive = false;
};

// From version 1 on. What was published once stays as it is.
std::span<const SchemaStep> schema_steps();

// The id of the row that the view Reservations has for one seat of a reservation of several: made of the ids of reservation and seat.
#define HOLDFAST_ROW_ID(reservation, seat) "encode(substr(sha256(uuid_send(" reservation ") || uuid_send(" seat ")), 1, 16), 'hex')::uuid"

// Views in the schema `public`, named and typed as the platforms' contracts have them, and those for people in `holdfast`.
extern const char* const k_views_1;
extern const char* const k_views_2;
// The views have revisions of their own beside the schema's versions: nodes do not read them, so any program of version 2 works with any of
// them. Versions 1 and 2 came with theirs; migrate() brings a database of the newest version to k_views_revision, and replaces views, so that
// they keep who may read them and what others have built on them (decision 60).
inline constexpr int k_views_revision = 3;
inline constexpr int k_reservation_rows_revision = 3;   // from this one on holdfast.reservation_row has the rows of all reservations
extern const char* const k_reservation_rows;   // first: what revision 3 keeps beside the tables, and the revision's own table
extern const char* const k_views_3;   // then, when that has all of them
// What version 1 makes in `public`: names that must be free there.
inline constexpr const char* k_public_names[] = {"reservations", "tickets", "tickets_blocked"};

}   // namespace holdfast::pg

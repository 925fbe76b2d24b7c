// The SQL of each version of the schema, which migrate() runs.
#pragma once

#include <span>
#include <vector>

namespace holdfast::pg {

// One version of the schema.
struct SchemaStep {
  std::vector<const char*> scripts;   // run in one transaction
  // Whether programs of the version before can still work on this version: it adds only tables, views and indexes, and columns that may
  // be NULL or have a default. Decision 56 has the complete list; a step with anything else says false.
  bool is_additive = false;
};

// All steps from version 1 on. A published step never changes what it creates.
std::span<const SchemaStep> schema_steps();

// The id of the row that the view Reservations has for one seat of a reservation of several: made of the ids of reservation and seat.
#define HOLDFAST_ROW_ID(reservation, seat) "encode(substr(sha256(uuid_send(" reservation ") || uuid_send(" seat ")), 1, 16), 'hex')::uuid"

// Views in the schema `public`, with the names and types of the platforms' contracts, and views for people in the schema `holdfast`.
extern const char* const k_views_1;
extern const char* const k_views_2;
// Beside the schema's versions, the views have revisions: nodes do not read the views, so a program of version 2 works with any revision.
// Versions 1 and 2 create revisions 1 and 2. migrate() brings a database of the newest version to k_views_revision. It replaces views, so
// that they keep their grants and the objects of others that depend on them (decision 60).
inline constexpr int k_views_revision = 3;
inline constexpr int k_reservation_rows_revision = 3;   // from this revision on, holdfast.reservation_row is complete
extern const char* const k_reservation_rows;   // revision 3, first: its table and triggers, and view_revision
extern const char* const k_views_3;   // revision 3, after the table is complete
// The views of version 1 in `public`. These names must be free there.
inline constexpr const char* k_public_names[] = {"reservations", "tickets", "tickets_blocked"};

}   // namespace holdfast::pg

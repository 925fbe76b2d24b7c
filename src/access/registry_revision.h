// The revision of registry.db: a number that every change of what is security's raises (keys, webhooks' addresses and secrets). The newest
// one is also noted outside of the file (ledger/embedded/registry_marker.h): a registry that is older than that, or gone, has lost changes, and
// must not be trusted. Otherwise a server whose keys are lost would let everybody in, and keys that were revoked would be good again.
//
// The registry is written first, then the note, then the change is answered. A crash between the two leaves a registry that is newer than
// the note, which is accepted and noted at the next opening. The other way round it would lock the operator out.
#pragma once

#include <optional>
#include <string>

#include "ledger/embedded/registry_marker.h"
#include "sql/database.h"
#include "sql/sqlite.h"

namespace holdfast {

// What the file says; nothing in one from before there were revisions.
std::optional<RegistryRevision> registry_revision(sqlite::Database& registry);
// Commits a change: raises the revision in its transaction, commits, and notes the revision, all before the change is answered and before the
// transaction is destroyed, so that nobody else uses the connection. Over PostgreSQL it only commits, because its tables cannot be put back one
// by one. Throws DataError, and the database's error.
void commit_registry_change(sql::Database& registry, sql::Transaction& transaction);
// If the folder has no place for the note yet, a start notes it once the ledger has made one. Throws DataError.
void note_registry_revision(sqlite::Database& registry);

// What is noted beside the registry at `path`; nothing where there is no note.
std::optional<RegistryRevision> noted_registry_revision(const std::string& path);

// Gives the registry its first revision, or, with `accepted`, one that is newer than the one that it does not have.
void set_registry_revision(sqlite::Database& registry, const std::optional<RegistryRevision>& accepted);

}   // namespace holdfast

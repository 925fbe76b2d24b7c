// The commit that this program was built from. Every build checks it (src/cli/CMakeLists.txt); a new commit recompiles only this
// constant.
#pragma once

#include <string>

#include "core/version.h"

namespace holdfast::cli {

extern const Commit k_build_commit;

// 0.2.0 (commit 3f1c2d4e5a6b, modified); 0.2.0 if the commit is not known.
inline std::string version_text() {
  std::string text = k_version;
  if (*k_build_commit.id == '\0') return text;
  return text.append(" (commit ").append(k_build_commit.id).append(k_build_commit.is_modified ? ", modified)" : ")");
}

}   // namespace holdfast::cli

#include "access/registry.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace holdfast {

std::string_view name_of(Scope scope) {
  switch (scope) {
    case Scope::read: return "read";
    case Scope::hold: return "hold";
    case Scope::sell: return "sell";
    case Scope::admin: return "admin";
  }
  return {};
}

std::string to_string(const Scopes& scopes) {
  std::string text;
  for (const Scope scope : k_scopes) {
    Scopes with = scopes;
    with.add(scope);
    if (with == scopes) text.append(text.empty() ? "" : ",").append(name_of(scope));
  }
  return text;
}

std::optional<Scopes> parse_scopes(std::string_view text) {
  Scopes scopes;
  for (;;) {
    const std::string_view name = text.substr(0, text.find(','));
    const auto* const scope = std::ranges::find(k_scopes, name, [](Scope each) { return name_of(each); });
    if (scope == std::end(k_scopes)) return std::nullopt;
    scopes.add(*scope);
    if (name.size() == text.size()) return scopes;
    text.remove_prefix(name.size() + 1);
  }
}

SessionSecret draw_session_secret() {
  SessionSecret secret;
  std::size_t filled = 0;
  while (filled < secret.size()) {
    const ssize_t got = ::getrandom(secret.data() + filled, secret.size() - filled, 0);
    if (got > 0) filled += static_cast<std::size_t>(got);
    else if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "the system gives no random bytes");
  }
  return secret;
}

}  // namespace holdfast

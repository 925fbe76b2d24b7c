#include "api/access.h"

#include <algorithm>

#include "core/ascii.h"
#include "http/proxies.h"
#include "ledger/wall_time.h"

namespace holdfast::api {
namespace {

// With `Secure`, the prefix makes the browser ensure that no other host and no page over HTTP has set the cookie.
constexpr std::string_view k_cookie = "holdfast_session";
constexpr std::string_view k_secure_cookie = "__Host-holdfast_session";
constexpr std::string_view k_bearer = "bearer";

Millis millis(std::chrono::hours time) { return std::chrono::duration_cast<std::chrono::milliseconds>(time).count(); }

RateLimiter::Rate twice_at_once(double per_second, std::uint64_t steady) { return {.per_second = per_second, .burst = 2 * steady}; }

// The token of `Bearer …`; empty for any other scheme.
std::string_view bearer_of(std::string_view authorization) {
  const std::string_view scheme = authorization.substr(0, authorization.find(' '));
  if (!equals_ignoring_case(scheme, k_bearer)) return {};
  authorization.remove_prefix(std::min(authorization.size(), scheme.size()));
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  return authorization;
}

// The only header with this name; nullptr if there is none, or if there are several.
const std::string_view* only_header(const http::Request& request, std::string_view name) {
  const std::string_view* found = nullptr;
  for (const http::Header& header : request.headers) {
    if (!equals_ignoring_case(header.name, name)) continue;
    if (found != nullptr) return nullptr;
    found = &header.value;
  }
  return found;
}

// The value of our cookie. Nothing if there is none, or several: then another site may have planted one of them.
std::optional<std::string_view> find_cookie(const http::Request& request, std::string_view name) {
  std::optional<std::string_view> found;
  for (const http::Header& header : request.headers) {
    if (!equals_ignoring_case(header.name, "cookie")) continue;
    std::string_view rest = header.value;
    while (!rest.empty()) {
      std::string_view pair = rest.substr(0, rest.find(';'));
      rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
      while (pair.starts_with(' ')) pair.remove_prefix(1);
      if (pair.substr(0, pair.find('=')) != name || pair.size() == name.size()) continue;
      if (found) return std::nullopt;
      found = pair.substr(name.size() + 1);
    }
  }
  return found;
}

// Whether a Host header is `localhost`, a name under it, or an IP address.
bool is_local_name(std::string_view host) {
  const std::size_t port = host.rfind(':');
  const bool has_port = port != std::string_view::npos && host.find(']', port) == std::string_view::npos;
  std::string name(host.substr(0, has_port ? port : host.size()));
  std::ranges::transform(name, name.begin(), lower);
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  boost::system::error_code error;
  boost::asio::ip::make_address(name, error);
  return !error || name == "localhost" || name.ends_with(".localhost");
}

bool has_own_name(const http::Request& request) {
  const std::string_view* host = request.header("Host");
  return host == nullptr || is_local_name(*host);
}

bool refuse_unauthorized(Call& call, std::string detail, std::string_view challenge) {
  call.response.headers.emplace_back("WWW-Authenticate", challenge);
  fail(call, {401, k_unauthorized, std::move(detail)});
  return false;
}

bool refuse_scope(Call& call, Need need) {
  const std::string scope(name_of(*scope_of(need)));
  fail(call, {403, k_forbidden, "This call needs an API key with the scope `" + scope + "`."});
  return false;
}

}  // namespace

std::optional<Scope> scope_of(Need need) {
  switch (need) {
    case Need::everybody: return std::nullopt;
    case Need::contract:
    case Need::hold_or_session: return Scope::hold;
    case Need::read:
    case Need::read_or_session: return Scope::read;
    case Need::sell: return Scope::sell;
    case Need::admin: return Scope::admin;
  }
  return Scope::admin;
}

bool lets_sessions_in(Need need) { return need == Need::read_or_session || need == Need::hold_or_session; }

AccessControl::AccessControl(AccessOptions options, const SessionSecret& secret)
    : options_(std::move(options)),
      secret_(secret),
      cors_(options_.origins),
      by_key_(twice_at_once(static_cast<double>(options_.requests_per_second_key), options_.requests_per_second_key)),
      by_customer_(twice_at_once(static_cast<double>(options_.requests_per_second_customer), options_.requests_per_second_customer)),
      by_address_(twice_at_once(static_cast<double>(options_.sessions_per_minute_address) / 60, options_.sessions_per_minute_address)) {}

void AccessControl::set_keys(std::vector<ApiKey> keys) {
  std::ranges::sort(keys, {}, &ApiKey::hash);
  const std::unique_lock lock(keys_mutex_);
  has_keys_ = has_keys_ || !keys.empty();   // stays true: an operator who revokes the last key does not mean to let every caller in
  keys_ = std::move(keys);
}

// Callers of contracts that need no key are let in first, so that checking keys costs them nothing.
bool AccessControl::admit(Call& call, Need need, bool changes) {
  if (changes && !is_from_own_page(call)) return false;
  if (need == Need::everybody) return true;
  const bool open = is_open();
  // The contracts' clients may use any name for the server; pages may not.
  if (open && changes && cors_.is_from_page(call.request) && !is_called_by_own_name(call)) return false;
  const bool lets_in = open || (need == Need::contract && lets_contract_in(call.group));
  const std::string_view* authorization = open ? nullptr : call.request.header("Authorization");
  if (lets_in && need == Need::contract && authorization == nullptr) return true;
  if (authorization != nullptr) return admit_key(call, need, lets_in);
  if (open && !is_called_by_own_name(call)) return false;
  if (auto session = !lets_in || lets_sessions_in(need) ? session_of(call.request) : std::nullopt) {
    if (!lets_sessions_in(need)) return refuse_scope(call, need);
    if (!take_request_of(call, session->customer)) return false;
    call.caller = {Caller::Kind::session, std::move(session->customer), false};
    return true;
  }
  if (lets_in) return true;
  return refuse_unauthorized(call,
                             "This call needs an API key (`Authorization: Bearer hf_…`) with the scope `" +
                                 std::string(name_of(*scope_of(need))) + "`" +
                                 (lets_sessions_in(need) ? ", or the cookie of a session (POST /v1/sessions)." : "."),
                             "Bearer");
}

bool AccessControl::admit_key(Call& call, Need need, bool lets_in) {
  auto key = find_key(call.request);
  if (!key && lets_in) return true;
  if (!key) {
    return refuse_unauthorized(call, "This server does not know the API key, or the key has expired or was revoked.",
                               R"(Bearer error="invalid_token")");
  }
  if (!take(call, by_key_, key->id)) return false;
  if (!lets_in && !key->scopes.allow(*scope_of(need))) return refuse_scope(call, need);
  call.caller = {Caller::Kind::key, std::move(key->id), key->scopes.allow(Scope::admin), key->scopes.allow(Scope::read)};
  return true;
}

bool AccessControl::admit_to_contract(Call& call, Group contract) const {
  if (is_open() || lets_contract_in(contract)) return true;
  if (const auto key = find_key(call.request)) return key->scopes.allow(Scope::hold) || refuse_scope(call, Need::contract);
  return refuse_unauthorized(call, "Releasing a ticket lock needs an API key (`Authorization: Bearer hf_…`) with the scope `hold`.",
                             "Bearer");
}

bool AccessControl::sees_drafts(const Call& call) const {
  if (call.caller.kind != Caller::Kind::anonymous) return call.caller.reads;
  const http::Request& request = call.request;
  if (is_open()) return has_own_name(request) && !session_of(request);
  const auto key = find_key(request);
  return key && key->scopes.allow(Scope::read);
}

bool AccessControl::lets_contract_in(Group group) const {
  return (group == Group::contract1 && options_.contract1) || (group == Group::contract2 && options_.contract2);
}

std::optional<AccessControl::KeyFound> AccessControl::find_key(const http::Request& request) const {
  const std::string_view* authorization = only_header(request, "authorization");
  const auto hash = authorization == nullptr ? std::nullopt : hash_of_api_token(bearer_of(*authorization));
  if (!hash) return std::nullopt;
  const std::shared_lock lock(keys_mutex_);
  const auto key = std::ranges::lower_bound(keys_, *hash, {}, &ApiKey::hash);
  if (key == keys_.end() || !are_equal(key->hash, *hash) || !key->is_usable(wall_time())) return std::nullopt;
  return KeyFound{key->id, key->scopes};
}

std::string AccessControl::name_of_key(std::string_view id) const {
  const std::shared_lock lock(keys_mutex_);
  const auto key = std::ranges::find(keys_, id, &ApiKey::id);
  return key == keys_.end() ? "" : key->name;
}

std::optional<Session> AccessControl::session_of(const http::Request& request) const {
  const auto token = find_cookie(request, options_.secure_cookie ? k_secure_cookie : k_cookie);
  return token ? read_session(*token, secret_, wall_time()) : std::nullopt;
}

Session AccessControl::new_session() const {
  const Millis now = wall_time();
  return {new_visitor(now), now + millis(options_.session_time)};
}

std::optional<Session> AccessControl::renewed(const Session& session, Millis now) const {
  Session longer{session.customer, now + millis(options_.session_time)};
  const auto began = beginning_of(session.customer);
  if (!began || *began > now) return longer;
  longer.expires_at = std::min(longer.expires_at, *began + millis(std::max(k_session_life_max, options_.session_time)));
  return longer.expires_at > now ? std::optional(std::move(longer)) : std::nullopt;
}

std::string AccessControl::cookie_of(const Session& session) const {
  return set_cookie(sign(session, secret_), std::max<Millis>(0, session.expires_at - wall_time()));
}

std::string AccessControl::no_cookie() const { return set_cookie("", 0); }

std::string AccessControl::set_cookie(const std::string& value, Millis time) const {
  const Millis seconds = (time + k_millis_per_second - 1) / k_millis_per_second;
  return std::string(options_.secure_cookie ? k_secure_cookie : k_cookie) + "=" + value + "; Path=/; Max-Age=" + std::to_string(seconds) +
         "; HttpOnly; SameSite=Strict" + (options_.secure_cookie ? "; Secure" : "");
}

bool AccessControl::take_request_of(Call& call, const std::string& customer) { return take(call, by_customer_, customer); }

bool AccessControl::take_new_session(Call& call) {
  return by_address_.is_off() || take(call, by_address_, http::one_client(call.request.client()).to_string());
}

bool AccessControl::take(Call& call, RateLimiter& limiter, std::string_view caller) {
  if (limiter.is_off()) return true;
  const auto wait = limiter.take(caller, std::chrono::steady_clock::now().time_since_epoch());
  if (!wait) return true;
  call.response.headers.emplace_back("Retry-After", std::to_string(whole_seconds(*wait)));
  fail(call, {429, k_rate_limited, "This caller sends too many requests. Nothing was done; Retry-After says when to try again."});
  return false;
}

// A web page can make its own name resolve to this machine (DNS rebinding), and then has the same origin as the server. It cannot make the
// browser use `localhost` or an address. Without keys, nothing else tells such a page from a program on this machine.
bool AccessControl::is_called_by_own_name(Call& call) {
  if (has_own_name(call.request)) return true;
  fail(call, {403, k_forbidden,
              "A server without API keys answers this call only at `localhost` or an IP address. Create a key (`holdfast keys create`) to "
              "use any name."});
  return false;
}

bool AccessControl::is_from_own_page(Call& call) const {
  if (!cors_.is_cross_site(call.request)) return true;
  fail(call, {403, k_forbidden, "A page of another origin may not make this call, unless `cors.origins` lists the origin."});
  return false;
}

}  // namespace holdfast::api

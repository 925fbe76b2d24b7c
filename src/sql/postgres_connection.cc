#include "sql/postgres_connection.h"

#include <endian.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <charconv>
#include <cstring>

#include "core/check.h"

namespace holdfast::pg {
namespace {

using Timer = std::chrono::steady_clock;

constexpr Oid k_oid_bool_array = 1000, k_oid_bytea_array = 1001, k_oid_int2_array = 1005, k_oid_int4_array = 1007, k_oid_text_array = 1009,
              k_oid_int8_array = 1016, k_oid_float8_array = 1022, k_oid_uuid_array = 2951;

Oid array_of(Oid element) {
  switch (element) {
    case k_oid_bool: return k_oid_bool_array;
    case k_oid_bytea: return k_oid_bytea_array;
    case k_oid_int2: return k_oid_int2_array;
    case k_oid_int4: return k_oid_int4_array;
    case k_oid_text: return k_oid_text_array;
    case k_oid_int8: return k_oid_int8_array;
    case k_oid_float8: return k_oid_float8_array;
    case k_oid_uuid: return k_oid_uuid_array;
    default: HOLDFAST_CHECK(false && "an array of a type that is not known here");
  }
}

template <typename Integer>
void append_number(std::string& out, Integer value) {
  std::array<char, sizeof value> bytes;
  if constexpr (sizeof value == 2) {
    value = static_cast<Integer>(htobe16(static_cast<std::uint16_t>(value)));
  } else if constexpr (sizeof value == 4) {
    value = static_cast<Integer>(htobe32(static_cast<std::uint32_t>(value)));
  } else {
    value = static_cast<Integer>(htobe64(static_cast<std::uint64_t>(value)));
  }
  std::memcpy(bytes.data(), &value, sizeof value);
  out.append(bytes.data(), bytes.size());
}

void append_number(std::string& out, double value) { append_number(out, std::bit_cast<std::int64_t>(value)); }

template <typename Integer>
Integer read_integer(const char* at) {
  Integer value;
  std::memcpy(&value, at, sizeof value);
  if constexpr (sizeof value == 2) return static_cast<Integer>(be16toh(static_cast<std::uint16_t>(value)));
  if constexpr (sizeof value == 4) return static_cast<Integer>(be32toh(static_cast<std::uint32_t>(value)));
  if constexpr (sizeof value == 8) return static_cast<Integer>(be64toh(static_cast<std::uint64_t>(value)));
}

std::string_view as_bytes(const Uuid& id) { return {reinterpret_cast<const char*>(id.data), sizeof id.data}; }

std::string trimmed(std::string_view message) {
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.remove_suffix(1);
  std::string line(message);
  for (char& c : line) {
    if (c == '\n') c = ' ';
  }
  return line;
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------------- parameters

void Parameters::add(Oid type, std::size_t begin) {
  types_.push_back(type);
  places_.emplace_back(begin, static_cast<int>(bytes_.size() - begin));
}

template <typename Number>
Parameters& Parameters::number(Oid type, Number value) {
  const std::size_t begin = bytes_.size();
  append_number(bytes_, value);
  add(type, begin);
  return *this;
}

Parameters& Parameters::int2(std::int16_t value) { return number(k_oid_int2, value); }
Parameters& Parameters::int4(std::int32_t value) { return number(k_oid_int4, value); }
Parameters& Parameters::int8(std::int64_t value) { return number(k_oid_int8, value); }
Parameters& Parameters::real8(double value) { return number(k_oid_float8, value); }

Parameters& Parameters::boolean(bool value) {
  const std::size_t begin = bytes_.size();
  bytes_.push_back(value ? '\1' : '\0');
  add(k_oid_bool, begin);
  return *this;
}

Parameters& Parameters::raw(Oid type, std::string_view value) {
  const std::size_t begin = bytes_.size();
  bytes_.append(value);
  add(type, begin);
  return *this;
}

Parameters& Parameters::text(std::string_view value) { return raw(k_oid_text, value); }
Parameters& Parameters::bytes(std::string_view value) { return raw(k_oid_bytea, value); }
Parameters& Parameters::uuid(const Uuid& value) { return raw(k_oid_uuid, as_bytes(value)); }

Parameters& Parameters::null(Oid type) {
  types_.push_back(type);
  places_.emplace_back(bytes_.size(), -1);
  return *this;
}

// One dimension, numbered from 1; an array of nothing has no dimension.
void Parameters::begin_array(Oid element, std::size_t count, bool has_nulls) {
  append_number(bytes_, std::int32_t{count > 0});
  append_number(bytes_, std::int32_t{has_nulls});
  append_number(bytes_, static_cast<std::int32_t>(element));
  if (count == 0) return;
  append_number(bytes_, static_cast<std::int32_t>(count));
  append_number(bytes_, std::int32_t{1});
}

template <typename Number>
Parameters& Parameters::numbers(Oid element, std::span<const Number> values) {
  const std::size_t begin = bytes_.size();
  begin_array(element, values.size());
  for (const Number value : values) {
    append_number(bytes_, std::int32_t{sizeof value});
    append_number(bytes_, value);
  }
  add(array_of(element), begin);
  return *this;
}

Parameters& Parameters::int2s(std::span<const std::int16_t> values) { return numbers(k_oid_int2, values); }
Parameters& Parameters::int4s(std::span<const std::int32_t> values) { return numbers(k_oid_int4, values); }
Parameters& Parameters::int8s(std::span<const std::int64_t> values) { return numbers(k_oid_int8, values); }
Parameters& Parameters::real8s(std::span<const double> values) { return numbers(k_oid_float8, values); }
Parameters& Parameters::events(std::span<const EventNumber> values) { return numbers(k_oid_int4, values); }
Parameters& Parameters::seats(std::span<const SeatIndex> values) { return numbers(k_oid_int4, values); }
Parameters& Parameters::seqs(std::span<const Seq> values) { return numbers(k_oid_int8, values); }

template <typename Text>
Parameters& Parameters::strings(Oid element, std::span<const Text> values) {
  const std::size_t begin = bytes_.size();
  begin_array(element, values.size());
  for (const Text& value : values) {
    append_number(bytes_, static_cast<std::int32_t>(value.size()));
    bytes_.append(value);
  }
  add(array_of(element), begin);
  return *this;
}

Parameters& Parameters::texts(std::span<const std::string> values) { return strings(k_oid_text, values); }
Parameters& Parameters::texts(std::span<const std::string_view> values) { return strings(k_oid_text, values); }
Parameters& Parameters::byte_strings(std::span<const std::string_view> values) { return strings(k_oid_bytea, values); }
Parameters& Parameters::byte_strings(std::span<const std::string> values) { return strings(k_oid_bytea, values); }

Parameters& Parameters::uuids(std::span<const Uuid> values) {
  const std::size_t begin = bytes_.size();
  begin_array(k_oid_uuid, values.size());
  for (const Uuid& value : values) {
    append_number(bytes_, std::int32_t{sizeof value.data});
    bytes_.append(as_bytes(value));
  }
  add(array_of(k_oid_uuid), begin);
  return *this;
}

Parameters& Parameters::uuids(std::span<const std::optional<Uuid>> values) {
  const std::size_t begin = bytes_.size();
  begin_array(k_oid_uuid, values.size(), true);
  for (const std::optional<Uuid>& value : values) {
    append_number(bytes_, value ? std::int32_t{sizeof value->data} : std::int32_t{-1});
    if (value) bytes_.append(as_bytes(*value));
  }
  add(array_of(k_oid_uuid), begin);
  return *this;
}

// ---------------------------------------------------------------------------------------------------------------- results

namespace {

const char* value_at(const PGresult* result, int row, int column, Oid type, int length) {
  HOLDFAST_CHECK(PQftype(result, column) == type);
  HOLDFAST_CHECK(PQgetisnull(result, row, column) == 0 && PQgetlength(result, row, column) == length);
  return PQgetvalue(result, row, column);
}

}  // namespace

std::int16_t Result::int2(int row, int column) const {
  return read_integer<std::int16_t>(value_at(result_.get(), row, column, k_oid_int2, 2));
}
std::int32_t Result::int4(int row, int column) const {
  return read_integer<std::int32_t>(value_at(result_.get(), row, column, k_oid_int4, 4));
}
std::int64_t Result::int8(int row, int column) const {
  return read_integer<std::int64_t>(value_at(result_.get(), row, column, k_oid_int8, 8));
}
double Result::real8(int row, int column) const {
  return std::bit_cast<double>(read_integer<std::int64_t>(value_at(result_.get(), row, column, k_oid_float8, 8)));
}
bool Result::boolean(int row, int column) const { return *value_at(result_.get(), row, column, k_oid_bool, 1) != '\0'; }

std::string_view Result::text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

Uuid Result::uuid(int row, int column) const {
  Uuid id{};
  std::memcpy(id.data, value_at(result_.get(), row, column, k_oid_uuid, sizeof id.data), sizeof id.data);
  return id;
}

std::vector<std::int32_t> Result::int4s(int row, int column) const {
  constexpr std::size_t k_header = 20;
  HOLDFAST_CHECK(PQftype(result_.get(), column) == k_oid_int4_array);
  const std::string_view value = text(row, column);
  std::vector<std::int32_t> values;
  if (value.size() < k_header) return values;
  const auto count = static_cast<std::size_t>(read_integer<std::int32_t>(value.data() + 12));
  HOLDFAST_CHECK(value.size() == k_header + count * 8);
  values.reserve(count);
  for (std::size_t i = 0; i < count; ++i) values.push_back(read_integer<std::int32_t>(value.data() + k_header + i * 8 + 4));
  return values;
}

std::uint64_t Result::affected() const {
  const std::string_view number = PQcmdTuples(result_.get());
  std::uint64_t value = 0;
  std::from_chars(number.data(), number.data() + number.size(), value);
  return value;
}

// ---------------------------------------------------------------------------------------------------------------- connecting

namespace {

// Where a URL has its password, as its author meant it: up to the last @ before the host, whatever stands in it.
struct PasswordPlace {
  std::size_t begin = 0;
  std::size_t size = 0;   // 0: there is none
};

// What libpq calls its parameters, each with the = that follows it.
const std::vector<std::string>& parameter_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = {"ssl="};   // of URLs that JDBC knows too
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> defaults(PQconndefaults(), &PQconninfoFree);
    for (const PQconninfoOption* each = defaults.get(); each != nullptr && each->keyword != nullptr; ++each)
      all.push_back(std::string(each->keyword) + "=");
    return all;
  }();
  return names;
}

// Where a URL's user, host or whatever else comes first begins; npos: it is no URL.
std::size_t authority_in(std::string_view url) {
  const std::size_t scheme = url.find("://");
  return scheme == std::string_view::npos ? scheme : scheme + 3;
}

// The question mark of the parameters; npos: there are none. Any other one may be a password's.
std::size_t parameters_in(std::string_view url) {
  for (std::size_t mark = url.find('?', authority_in(url)); mark != std::string_view::npos; mark = url.find('?', mark + 1)) {
    const std::string_view behind = url.substr(mark + 1);
    if (std::ranges::any_of(parameter_names(), [&](const std::string& name) { return behind.starts_with(name); })) return mark;
  }
  return std::string_view::npos;
}

// The @ of a parameter that libpq takes for the one before the host, because it comes before any slash. npos: there is none such.
std::size_t misread_at_in(std::string_view url) {
  const std::size_t at = url.find_first_of("@/", authority_in(url));
  const std::size_t parameters = parameters_in(url);
  return at != std::string_view::npos && url[at] == '@' && parameters < at ? at : std::string_view::npos;
}

// From a colon that no port follows to the last @: libpq finds no password there, and neither host nor port that it can use.
PasswordPlace password_instead_of_port_in(std::string_view url, std::size_t user) {
  const std::size_t host_end = url.substr(user).starts_with('[') ? url.find(']', user) : user;
  const std::size_t colon = url.find_first_of(":@/?", host_end);
  if (colon == std::string_view::npos || url[colon] != ':') return {};
  const std::size_t port_end = url.find_first_not_of("0123456789", colon + 1);
  if (port_end == std::string_view::npos || std::string_view(",/?").contains(url[port_end])) return {};
  const std::size_t at = url.rfind('@');
  return at == std::string_view::npos || at < colon ? PasswordPlace{} : PasswordPlace{colon + 1, at - colon - 1};
}

PasswordPlace user_password_in(std::string_view url) {
  const std::size_t user = authority_in(url);
  if (user == std::string_view::npos) return {};
  std::size_t at = misread_at_in(url);
  if (at == std::string_view::npos) {
    const std::string_view before = url.substr(0, parameters_in(url));
    const std::size_t mark = before.find('?', user);
    at = before.substr(0, mark).rfind('@');
    // A question mark may be the password's own: there is no slash before it then.
    if ((at == std::string_view::npos || at < user) && before.substr(user, mark - user).find('/') == std::string_view::npos)
      at = before.rfind('@');
  }
  const std::size_t colon = url.find(':', user);
  if (at == std::string_view::npos || at < user || colon == std::string_view::npos || colon > at)
    return password_instead_of_port_in(url, user);
  return {colon + 1, at - colon - 1};
}

// The values of the parameters `password` and `sslpassword`.
std::vector<PasswordPlace> password_parameters_in(std::string_view url) {
  constexpr std::string_view k_name = "password=";
  std::vector<PasswordPlace> places;
  for (std::size_t at = url.find(k_name); at != std::string_view::npos; at = url.find(k_name, at)) {
    at += k_name.size();
    places.push_back({at, std::min(url.size(), url.find_first_of("& ", at)) - at});
  }
  return places;
}

bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

std::string decoded(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int value = 0;
    if (text[i] == '%' && i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2])) {
      std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
      plain.push_back(static_cast<char>(value));
      i += 2;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

// Why libpq would take a part of the password for something else, and name it in its error. Empty: it would not.
std::string misreading_of(std::string_view url) {
  if (misread_at_in(url) != std::string_view::npos)
    return "all that stands before the @ would be taken for a user and a password; in a parameter @ is written as %40";
  const auto [begin, size] = user_password_in(url);
  const std::string_view password = url.substr(begin, size);
  for (std::size_t i = 0; i < password.size(); ++i) {
    const bool is_escape = password[i] == '%' && i + 2 < password.size() && is_hex(password[i + 1]) && is_hex(password[i + 2]);
    if (password[i] != '/' && password[i] != '@' && (password[i] != '%' || is_escape)) continue;
    return std::string("the password in the URL has the character ") + password[i] + ", which is written there as " +
           (password[i] == '/'   ? "%2F"
            : password[i] == '@' ? "%40"
                                 : "%25");
  }
  return {};
}

// What libpq says, without the password if it quotes it.
std::string without_secrets(std::string text, const Settings& settings) {
  std::vector<std::string> secrets = {settings.password};
  auto places = password_parameters_in(settings.url);
  places.push_back(user_password_in(settings.url));
  for (const auto& [begin, size] : places) {
    const std::string_view secret = std::string_view(settings.url).substr(begin, size);
    secrets.emplace_back(secret);
    secrets.push_back(decoded(secret));
  }
  for (const std::string& secret : secrets) {
    for (std::size_t at = secret.empty() ? std::string::npos : text.find(secret); at != std::string::npos; at = text.find(secret, at + 3)) {
      text.replace(at, secret.size(), "***");
    }
  }
  return text;
}

}  // namespace

std::string without_password(std::string_view url) {
  std::string shown(url);
  auto places = password_parameters_in(url);
  std::ranges::reverse(places);
  for (const auto& [begin, size] : places) shown.replace(begin, size, "***");
  const auto [begin, size] = user_password_in(shown);
  if (size > 0) shown.replace(begin, size, "***");
  return shown;
}

Connection::Connection(const Settings& settings) : deadline_(settings.deadline), application_(settings.application) {
  if (const std::string wrong = misreading_of(settings.url); !wrong.empty()) {
    throw Error("", "cannot connect to " + without_password(settings.url) + ": " + wrong);
  }
  const auto ms = [](std::chrono::milliseconds time) { return std::to_string(time.count()); };
  const std::string timeout = std::to_string(std::max<std::int64_t>(2, (settings.connect_timeout.count() + 999) / 1'000));
  const std::string patience = ms(settings.deadline);
  // Plans are made once, for any parameters: one that was made for an empty table must not stay. There a join that takes all of
  // an event into a hash looks as good as one look at the index a row; so only the latter is left to choose. 2.0 s of silence in
  // a transaction end it.
  const std::string options =
      "-c synchronous_commit=" + std::string(settings.durable ? "on" : "off") + " -c statement_timeout=" + ms(settings.statement_timeout) +
      " -c lock_timeout=" + ms(settings.lock_timeout) + " -c idle_in_transaction_session_timeout=" + ms(settings.idle_in_transaction) +
      " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off "
      "-c enable_mergejoin=off -c enable_material=off -c jit=off -c TimeZone=UTC -c search_path=pg_catalog";
  std::vector<std::pair<const char*, const char*>> words = {
      {"dbname", settings.url.c_str()},
      {"application_name", settings.application.c_str()},   // also of a URL that has another
      {"connect_timeout", timeout.c_str()},
      {"client_encoding", "UTF8"},
      {"keepalives", "1"},
      {"keepalives_idle", "10"},
      {"keepalives_interval", "5"},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", patience.c_str()},
      {"options", options.c_str()}};
  if (settings.read_write) words.emplace_back("target_session_attrs", "read-write");
  if (!settings.password.empty()) words.emplace_back("password", settings.password.c_str());
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const auto& [name, value] : words) {
    names.push_back(name);
    values.push_back(value);
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  handle_.reset(PQconnectdbParams(names.data(), values.data(), 1));
  if (handle_ == nullptr || PQstatus(handle_.get()) != CONNECTION_OK) {
    const std::string why = handle_ == nullptr ? "out of memory" : trimmed(PQerrorMessage(handle_.get()));
    throw Error("", "cannot connect to " + without_password(settings.url) + ": " + without_secrets(why, settings));
  }
  PQsetNoticeReceiver(handle_.get(), [](void* self, const PGresult* notice) { static_cast<Connection*>(self)->hear(notice); }, this);
  if (PQenterPipelineMode(handle_.get()) != 1 || PQsetnonblocking(handle_.get(), 1) != 0) lose("it cannot be put into pipeline mode");
}

// A wait for a synchronous standby that was cancelled ends with a warning: the transaction is committed here, and perhaps nowhere else. The words are
// in the server's language; the function that warns is not, and other servers may have another. What is read may be ahead of what is awaited: so any
// warning counts while a commit is on its way.
void Connection::hear(const PGresult* notice) {
  const auto field = [notice](int code) {
    const char* value = PQresultErrorField(notice, code);
    return std::string_view(value == nullptr ? "" : value);
  };
  if (field(PG_DIAG_SEVERITY_NONLOCALIZED) != "WARNING") return;
  const auto is_commit = [](const char* statement) { return statement != nullptr && std::strcmp(statement, k_commit.name) == 0; };
  const bool commits = is_commit(awaited_) || std::ranges::any_of(expected_, is_commit, &Expected::statement);
  if (commits || field(PG_DIAG_SOURCE_FUNCTION) == "SyncRepWaitForLSN") commit_warning_ = true;
}

std::string Connection::host() const {
  const char* host = PQhost(handle_.get());
  const char* port = PQport(handle_.get());
  return std::string(host == nullptr ? "?" : host) + ":" + (port == nullptr ? "?" : port);
}

void Connection::lose(const std::string& why) {
  const std::string where = handle_ == nullptr ? "the database" : "PostgreSQL at " + host();
  usable_ = false;
  expected_.clear();
  handle_.reset();
  throw Error("", "the connection to " + where + " was lost: " + why);
}

// ---------------------------------------------------------------------------------------------------------------- pipeline

void Connection::send(const Statement& statement, const Parameters& parameters) {
  if (!usable_) throw Error("", "the connection is not usable any more");
  const std::size_t count = parameters.types_.size();
  const auto known = prepared_.find(statement.name);
  HOLDFAST_CHECK(known == prepared_.end() || std::strcmp(known->second, statement.sql) == 0);   // a name stands for one statement
  if (known == prepared_.end() && !preparing_.contains(statement.name)) {
    if (PQsendPrepare(handle_.get(), statement.name, statement.sql, static_cast<int>(count), parameters.types_.data()) != 1) {
      lose(trimmed(PQerrorMessage(handle_.get())));
    }
    preparing_.insert(statement.name);
    expected_.push_back({Awaited::preparation, statement.name, statement.sql});
  }
  std::vector<const char*> values(count);
  std::vector<int> lengths(count);
  std::vector<int> formats(count, 1);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [begin, length] = parameters.places_[i];
    values[i] = length < 0 ? nullptr : parameters.bytes_.data() + begin;
    lengths[i] = length < 0 ? 0 : length;
  }
  const int sent =
      PQsendQueryPrepared(handle_.get(), statement.name, static_cast<int>(count), values.data(), lengths.data(), formats.data(), 1);
  if (sent != 1) lose(trimmed(PQerrorMessage(handle_.get())));
  expected_.push_back({Awaited::result, statement.name});
}

void Connection::sync() {
  if (PQpipelineSync(handle_.get()) != 1) lose(trimmed(PQerrorMessage(handle_.get())));
  expected_.push_back({Awaited::sync, "sync"});
  flush();
}

void Connection::wait(bool for_reading, Timer::time_point until) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Timer::now());
  if (left.count() <= 0) lose("no answer within " + std::to_string(deadline_.count()) + " ms");
  pollfd socket{.fd = PQsocket(handle_.get()), .events = static_cast<short>(for_reading ? POLLIN : POLLIN | POLLOUT), .revents = 0};
  if (::poll(&socket, 1, static_cast<int>(left.count())) < 0 && errno != EINTR) lose(std::strerror(errno));
}

void Connection::flush() {
  const auto until = Timer::now() + deadline_;
  for (;;) {
    const int left = PQflush(handle_.get());
    if (left == 0) return;
    if (left < 0) lose(trimmed(PQerrorMessage(handle_.get())));
    wait(false, until);
    // A server that cannot write either would never read on.
    if (PQconsumeInput(handle_.get()) != 1) lose(trimmed(PQerrorMessage(handle_.get())));
  }
}

PGresult* Connection::next_result() {
  const auto until = Timer::now() + deadline_;
  while (PQisBusy(handle_.get()) != 0) {
    wait(true, until);
    if (PQconsumeInput(handle_.get()) != 1) lose(trimmed(PQerrorMessage(handle_.get())));
  }
  return PQgetResult(handle_.get());
}

void Connection::fail(const PGresult* result, const char* statement) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  const std::string what = std::string(statement) + ": " + trimmed(PQresultErrorMessage(result));
  // FATAL and PANIC end the session; without a state the message is libpq's own.
  if (state == nullptr || severity == nullptr || std::string_view(severity) != "ERROR") lose(what);
  throw Error(state, what);
}

Result Connection::receive() {
  if (!usable_) throw Error("", "the connection is not usable any more");
  for (;;) {
    HOLDFAST_CHECK(!expected_.empty() && expected_.front().kind != Awaited::sync);
    const Expected awaited = expected_.front();
    expected_.pop_front();
    awaited_ = awaited.statement;
    PGresult* raw = next_result();
    if (raw == nullptr) lose("an answer is missing");
    Result result(raw);
    if (next_result() != nullptr) lose("an answer too many");   // each statement's results end with none
    const ExecStatusType status = PQresultStatus(raw);
    if (status == PGRES_FATAL_ERROR) fail(raw, awaited.statement);
    if (status == PGRES_PIPELINE_ABORTED) throw Error("HFABT", std::string(awaited.statement) + ": not done, because one before it failed");
    if (awaited.kind == Awaited::result) return result;
    prepared_.emplace(awaited.statement, awaited.sql);
  }
}

void Connection::end_sync() {
  HOLDFAST_CHECK(!expected_.empty() && expected_.front().kind == Awaited::sync);
  expected_.pop_front();
  const Result result(next_result());
  preparing_.clear();
}

// After an error: takes whatever is still expected.
void Connection::finish_group() {
  while (!expected_.empty()) {
    const Expected awaited = expected_.front();
    expected_.pop_front();
    const Result result(next_result());
    if (awaited.kind == Awaited::sync) continue;
    if (awaited.kind == Awaited::preparation && result.status() == PGRES_COMMAND_OK) prepared_.emplace(awaited.statement, awaited.sql);
    next_result();
  }
  preparing_.clear();
}

void Connection::take_rest() {
  if (!usable_) return;
  if (!expected_.empty() && expected_.back().kind != Awaited::sync) sync();
  finish_group();
}

void Connection::reset() {
  if (!usable_) return;
  try {
    take_rest();
    if (PQtransactionStatus(handle_.get()) != PQTRANS_IDLE) query(k_rollback);
  } catch (const Error&) {
    usable_ = false;   // whoever uses it next is told; the error that led here is on its way already
  }
}

std::vector<Result> Connection::round_trip(std::initializer_list<Call> calls) {
  for (const Call& call : calls) send(call.statement, call.parameters);
  HOLDFAST_CHECK(std::ranges::none_of(expected_, [](const Expected& each) { return each.kind == Awaited::sync; }));
  sync();
  std::vector<Result> results;
  while (expected_.front().kind != Awaited::sync) results.push_back(receive());
  end_sync();
  return results;
}

Result Connection::query(const Statement& statement, const Parameters& parameters) {
  send(statement, parameters);
  sync();
  Result result = receive();
  end_sync();
  return result;
}

Result Connection::run_script(const std::string& sql) {
  HOLDFAST_CHECK(expected_.empty());
  if (PQexitPipelineMode(handle_.get()) != 1) lose("it cannot leave pipeline mode");
  PQsetnonblocking(handle_.get(), 0);
  Result result(PQexec(handle_.get(), sql.c_str()));
  PQsetnonblocking(handle_.get(), 1);
  if (PQenterPipelineMode(handle_.get()) != 1) lose("it cannot be put into pipeline mode");
  if (result.status() == PGRES_FATAL_ERROR) fail(result.get(), "script");
  return result;
}

std::vector<std::string> Connection::take_notifications(std::chrono::milliseconds patience) {
  if (!usable_) throw Error("", "the connection is not usable any more");
  std::vector<std::string> heard;
  const auto take = [&] {
    if (PQconsumeInput(handle_.get()) != 1) lose(trimmed(PQerrorMessage(handle_.get())));
    while (PGnotify* each = PQnotifies(handle_.get())) {
      heard.emplace_back(each->extra);
      PQfreemem(each);
    }
  };
  take();
  if (!heard.empty()) return heard;
  pollfd socket{.fd = PQsocket(handle_.get()), .events = POLLIN, .revents = 0};
  if (::poll(&socket, 1, static_cast<int>(patience.count())) < 0 && errno != EINTR) lose(std::strerror(errno));
  take();
  return heard;
}

}   // namespace holdfast::pg

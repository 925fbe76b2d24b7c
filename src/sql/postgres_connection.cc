#include "sql/postgres_connection.h"

#include <poll.h>

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "sql/postgres_stop.h"

namespace holdfast::pg {
namespace {

using Timer = std::chrono::steady_clock;

constexpr std::chrono::milliseconds k_look_for_end{100};   // how late a wait notices that it should end

thread_local const std::function<bool()>* end_has_come = nullptr;   // of an EndOfWaits of this thread

std::string trimmed(std::string_view message) {
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.remove_suffix(1);
  std::string line(message);
  for (char& c : line) {
    if (c == '\n') c = ' ';
  }
  return line;
}

}   // namespace

EndOfWaits::EndOfWaits(std::function<bool()> has_come) : has_come_(std::move(has_come)) {
  HOLDFAST_CHECK(end_has_come == nullptr);
  end_has_come = &has_come_;
}
EndOfWaits::~EndOfWaits() { end_has_come = nullptr; }

// ---------------------------------------------------------------------------------------------------------------- connecting

Connection::Connection(const Settings& settings) : deadline_(settings.deadline), application_(settings.application) {
  if (const std::string wrong = misreading_of(settings.url); !wrong.empty()) {
    throw Error("", "cannot connect to " + without_password(settings.url) + ": " + wrong);
  }
  const auto ms = [](std::chrono::milliseconds time) { return std::to_string(time.count()); };
  const std::string timeout = std::to_string(std::max<std::int64_t>(2, (settings.connect_timeout.count() + 999) / 1'000));
  const std::string patience = ms(settings.deadline);
  // The server makes each plan once, for any parameters, perhaps while a table is still empty. There, hashing a whole event looks as
  // cheap as one index lookup per row. So only index lookups are left to choose from.
  const std::string options =
      "-c synchronous_commit=" + std::string(settings.durable ? "on" : "off") + " -c statement_timeout=" + ms(settings.statement_timeout) +
      " -c lock_timeout=" + ms(settings.lock_timeout) + " -c idle_in_transaction_session_timeout=" + ms(settings.idle_in_transaction) +
      " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off "
      "-c enable_mergejoin=off -c enable_material=off -c jit=off -c TimeZone=UTC -c search_path=pg_catalog";
  std::vector<std::pair<const char*, const char*>> words = {{"dbname", settings.url.c_str()},
                                                            {"application_name", settings.application.c_str()},   // overrides the URL
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
    throw Error("", "cannot connect to " + without_password(settings.url) + ": " + without_secrets(why, settings.url, settings.password));
  }
  PQsetNoticeReceiver(handle_.get(), [](void* self, const PGresult* notice) { static_cast<Connection*>(self)->hear(notice); }, this);
  if (PQenterPipelineMode(handle_.get()) != 1 || PQsetnonblocking(handle_.get(), 1) != 0) lose("libpq cannot enter pipeline mode");
}

// PostgreSQL warns when a wait for a synchronous standby was cancelled: the transaction is committed here, and perhaps nowhere else. The
// text is in the server's language, and other servers may warn from another function. libpq may read ahead of the awaited result. So any
// warning counts while a commit is pending.
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
  if (!usable_) throw Error("", "the connection is no longer usable");
  const std::size_t count = parameters.types_.size();
  const auto known = prepared_.find(statement.name);
  HOLDFAST_CHECK(known == prepared_.end() || std::strcmp(known->second, statement.sql) == 0);   // one name, one statement
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
  if (end_has_come != nullptr && (*end_has_come)()) lose("its answer is no longer waited for, because this node ends");
  const auto nap = end_has_come == nullptr ? left : std::min(left, k_look_for_end);
  pollfd socket{.fd = PQsocket(handle_.get()), .events = static_cast<short>(for_reading ? POLLIN : POLLIN | POLLOUT), .revents = 0};
  if (::poll(&socket, 1, static_cast<int>(nap.count())) < 0 && errno != EINTR) lose(std::strerror(errno));
}

void Connection::flush() {
  const auto until = Timer::now() + deadline_;
  for (;;) {
    const int left = PQflush(handle_.get());
    if (left == 0) return;
    if (left < 0) lose(trimmed(PQerrorMessage(handle_.get())));
    wait(false, until);
    // Read too: a server that is blocked on writing would never read what is sent.
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
  // FATAL and PANIC end the session. Without a state the message comes from libpq itself.
  if (state == nullptr || severity == nullptr || std::string_view(severity) != "ERROR") lose(what);
  throw Error(state, what);
}

Result Connection::receive() {
  if (!usable_) throw Error("", "the connection is no longer usable");
  for (;;) {
    HOLDFAST_CHECK(!expected_.empty() && expected_.front().kind != Awaited::sync);
    const Expected awaited = expected_.front();
    expected_.pop_front();
    awaited_ = awaited.statement;
    PGresult* raw = next_result();
    if (raw == nullptr) lose("a result is missing");
    Result result(raw);
    if (next_result() != nullptr) lose("there is an unexpected result");   // libpq ends each statement's results with a null
    const ExecStatusType status = PQresultStatus(raw);
    if (status == PGRES_FATAL_ERROR) fail(raw, awaited.statement);
    if (status == PGRES_PIPELINE_ABORTED)
      throw Error("HFABT", std::string(awaited.statement) + ": skipped, because a statement before it failed");
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

void Connection::take_rest() {
  if (!usable_) return;
  if (!expected_.empty() && expected_.back().kind != Awaited::sync) sync();
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

void Connection::reset() {
  if (!usable_) return;
  try {
    take_rest();
    if (PQtransactionStatus(handle_.get()) != PQTRANS_IDLE) query(k_rollback);
  } catch (const Error&) {
    usable_ = false;   // the caller already handles the error that led here
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
  if (PQexitPipelineMode(handle_.get()) != 1) lose("libpq cannot leave pipeline mode");
  PQsetnonblocking(handle_.get(), 0);
  Result result(PQexec(handle_.get(), sql.c_str()));
  PQsetnonblocking(handle_.get(), 1);
  if (PQenterPipelineMode(handle_.get()) != 1) lose("libpq cannot enter pipeline mode");
  if (result.status() == PGRES_FATAL_ERROR) fail(result.get(), "script");
  return result;
}

std::vector<std::string> Connection::take_notifications(std::chrono::milliseconds patience) {
  if (!usable_) throw Error("", "the connection is no longer usable");
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

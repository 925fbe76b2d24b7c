#include "support/services.h"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <random>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "support/sql.h"

namespace holdfast::test {

namespace fs = std::filesystem;

namespace {

constexpr milliseconds k_start_patience = 6 * k_patience;     // Kafka's virtual machine, on a busy machine
constexpr milliseconds k_prepare_patience = 15 * k_patience;  // the jars come over the network

const fs::path k_source = HOLDFAST_SOURCE;

std::uint64_t random_number() {
  thread_local std::mt19937_64 engine{std::random_device{}()};
  return engine();
}

// The fields of /proc/ID/stat after the program's name: state, parent, … Empty if there is no such process.
struct ProcessState {
  char state;
  pid_t parent;
};
std::optional<ProcessState> state_of(pid_t id) {
  const std::string line = read_file("/proc/" + std::to_string(id) + "/stat");
  const std::size_t end_of_name = line.rfind(") ");
  if (end_of_name == std::string::npos || end_of_name + 4 >= line.size()) return std::nullopt;
  return ProcessState{line[end_of_name + 2], static_cast<pid_t>(std::strtol(line.c_str() + end_of_name + 4, nullptr, 10))};
}

// The process and its children, itself first: once it is stopped, no more are started.
std::vector<pid_t> with_children(pid_t parent) {
  std::vector<pid_t> all{parent};
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
    const auto id = static_cast<pid_t>(std::strtol(entry.path().filename().c_str(), nullptr, 10));
    if (id <= 0) continue;
    if (const auto state = state_of(id); state && state->parent == parent) all.push_back(id);
  }
  return all;
}

// The script of ./dev services prepares the files that a start needs, once per checkout and under a lock. ./dev test has done so
// already.
void prepare(const std::string& name, const fs::path& result) {
  if (fs::exists(result) || std::getenv("HOLDFAST_TEST_PREPARED") != nullptr) return;
  const TempFolder folder;
  ProcessSettings settings;
  settings.arguments = {(k_source / "dev").string(), "services", "prepare", name};
  settings.stdout_file = settings.stderr_file = folder / "log";
  const Ending ending = Process(settings).wait(k_prepare_patience);
  if (ending != Ending{}) throw std::runtime_error("./dev services prepare " + name + ": " + read_file(settings.stdout_file));
}

// With owners and modes, in place of what is there.
void copy_folder(const fs::path& from, const fs::path& to) {
  fs::remove_all(to);
  const Finished copied = run_program("/bin/cp", {"-a", "--reflink=auto", from.string(), to.string()});
  if (copied.status != 0) throw std::runtime_error("cp: " + copied.everything());
}

}  // namespace

bool has_stopped(pid_t process) {
  std::error_code gone;
  for (const fs::directory_entry& thread : fs::directory_iterator("/proc/" + std::to_string(process) + "/task", gone)) {
    const auto state = state_of(static_cast<pid_t>(std::strtol(thread.path().filename().c_str(), nullptr, 10)));
    if (state && state->state != 'T' && state->state != 'Z') return false;
  }
  return true;
}

std::string shared_service(std::string_view name) {
  const char* url = std::getenv(("HOLDFAST_TEST_" + std::string(name)).c_str());
  return url == nullptr ? "" : url;
}

std::uint16_t free_port() {
  for (;;) {
    const auto port = static_cast<std::uint16_t>(20'000 + random_number() % 12'000);
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) throw std::system_error(errno, std::generic_category(), "socket");
    const sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    const bool is_free = ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(socket);
    if (is_free) return port;
  }
}

ServiceFolder::ServiceFolder() {
  // The name begins with the process id, so that ./dev test can find the remains of a killed one.
  const fs::path all = k_source / "build/services/tests";
  fs::create_directories(all);
  std::string name = (all / (std::to_string(::getpid()) + "-XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::generic_category(), name);
  path_ = name;
  fs::permissions(path_, fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec | fs::perms::others_read |
                             fs::perms::others_exec);   // PostgreSQL's user needs to pass through it
}

ServiceFolder::~ServiceFolder() {
  std::error_code ignored;   // ./dev test removes the rest
  fs::remove_all(path_, ignored);
}

// --- what the three have in common ---

ServiceProcess::ServiceProcess(std::string_view name, std::size_t ports) : name_(name), port_count_(ports) {}

ServiceProcess::~ServiceProcess() = default;

void ServiceProcess::launch() {
  ProcessSettings settings;
  settings.arguments = {(k_source / "scripts/services" / (name_ + ".sh")).string()};
  if (name_ == "postgresql") settings.arguments.emplace_back("--with-parent");
  settings.arguments.push_back(folder().string());
  for (const std::uint16_t port : ports_) settings.arguments.push_back(std::to_string(port));
  settings.stdout_file = settings.stderr_file = folder() / "log";
  write_file(folder() / "log", "");   // Kafka's is_ready() reads it, and must not find an earlier start
  process_ = Process(settings);
}

bool ServiceProcess::wait_until_ready() {
  eventually([&] { return !process_.runs() || is_ready(); }, k_start_patience);
  return process_.runs() && is_ready();
}

void ServiceProcess::start_first() {
  constexpr int k_tries = 5;
  for (int tries = 0; tries < k_tries; ++tries) {
    ports_.clear();
    for (std::size_t i = 0; i < port_count_; ++i) ports_.push_back(free_port());
    port_ = ports_[0];
    launch();
    if (wait_until_ready()) return;
    if (process_.runs()) break;
  }
  throw std::runtime_error(name_ + " did not start:\n" + log());
}

void ServiceProcess::start() {
  if (process_.runs()) throw std::runtime_error(name_ + " runs already");
  launch();
  if (!wait_until_ready()) throw std::runtime_error(name_ + " did not start again:\n" + log());
}

void ServiceProcess::end(int signal) {
  if (!process_.runs()) throw std::runtime_error(name_ + " had ended by itself:\n" + log());
  process_.signal(signal);
  process_.wait(9 * k_patience);   // an orderly end of Apache Kafka, with clients that keep asking, has taken a minute
}

void ServiceProcess::kill() { end(SIGKILL); }

void ServiceProcess::signal_all(int signal) {
  for (const pid_t id : with_children(process_.id())) ::kill(id, signal);
}

void ServiceProcess::pause() {
  process_.signal(SIGSTOP);
  signal_all(SIGSTOP);
  const bool stands_still = eventually([&] { return std::ranges::all_of(with_children(process_.id()), has_stopped); });
  if (!stands_still) throw std::runtime_error(name_ + " did not stop at SIGSTOP");
}

void ServiceProcess::resume() { signal_all(SIGCONT); }

// --- PostgreSQL ---

PostgresServer::PostgresServer() : ServiceProcess("postgresql", 1) {
  prepare("postgresql", k_source / "build/services/templates/postgresql/programs");
  start_first();
}

PostgresServer::~PostgresServer() {
  if (!runs()) return;
  resume();
  try {
    stop_immediately();
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
  }
}

void PostgresServer::stop() { end(SIGINT); }

void PostgresServer::stop_immediately() { end(SIGQUIT); }

void PostgresServer::restart_immediately() {
  stop_immediately();
  start();
}

void PostgresServer::keep_copy() {
  stop_immediately();
  copy_folder(folder() / "data", folder() / "copy");
  start();
}

void PostgresServer::go_back_to_copy() {
  stop_immediately();
  copy_folder(folder() / "copy", folder() / "data");
  start();
}

std::string PostgresServer::url(std::string_view database, std::string_view role) const {
  return "postgresql://" + std::string(role) + "@127.0.0.1:" + std::to_string(port()) + "/" + std::string(database);
}

bool PostgresServer::is_ready() {
  try {
    return Sql(admin_url("postgres")).value("select 1") == "1";
  } catch (const SqlError&) {
    return false;
  }
}

PostgresDatabase::PostgresDatabase() {
  std::string base_url = shared_service("POSTGRESQL");
  if (base_url.empty()) {
    own_ = std::make_unique<PostgresServer>();
    base_url = own_->url();
  }
  create(base_url);
}

PostgresDatabase::PostgresDatabase(const PostgresServer& server) { create(server.url()); }

void PostgresDatabase::create(const std::string& base_url) {
  base_url_ = base_url;
  name_ = "test_" + std::to_string(::getpid()) + "_" + std::to_string(random_number());
  Sql(base_url_).run("create database " + name_);
  url_ = base_url_.substr(0, base_url_.rfind('/') + 1) + name_;
}

PostgresDatabase::~PostgresDatabase() {
  try {
    Sql(base_url_).run("drop database " + name_ + " with (force)");
  } catch (const SqlError&) {   // its server is gone, and the data with it
  }
}

// --- Redis ---

namespace {

using Reply = std::unique_ptr<redisReply, decltype([](redisReply* reply) { freeReplyObject(reply); })>;

std::string text_of(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_NIL: return "(nil)";
    case REDIS_REPLY_INTEGER: return std::to_string(reply.integer);
    case REDIS_REPLY_ERROR: throw std::runtime_error("redis: " + std::string(reply.str, reply.len));
    case REDIS_REPLY_ARRAY: {
      std::string all;
      for (std::size_t i = 0; i < reply.elements; ++i) all += (i == 0 ? "" : "\n") + text_of(*reply.element[i]);
      return all;
    }
    default: return {reply.str, reply.len};
  }
}

}  // namespace

RedisServer::RedisServer() : ServiceProcess("redis", 1) { start_first(); }

RedisServer::~RedisServer() = default;

std::string RedisServer::command(const std::vector<std::string>& arguments) const {
  const std::unique_ptr<redisContext, decltype([](redisContext* context) { redisFree(context); })> connection(redisConnectWithTimeout(
      "127.0.0.1", port(), timeval{.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(k_patience).count(), .tv_usec = 0}));
  if (connection == nullptr || connection->err != 0) throw std::runtime_error("redis: no connection");
  std::vector<const char*> values;
  std::vector<std::size_t> lengths;
  for (const std::string& argument : arguments) {
    values.push_back(argument.data());
    lengths.push_back(argument.size());
  }
  const Reply reply(
      static_cast<redisReply*>(redisCommandArgv(connection.get(), static_cast<int>(values.size()), values.data(), lengths.data())));
  if (reply == nullptr) throw std::runtime_error("redis: no answer");
  return text_of(*reply);
}

void RedisServer::flush() { command({"FLUSHALL"}); }

bool RedisServer::is_ready() {
  try {
    return command({"PING"}) == "PONG";
  } catch (const std::runtime_error&) {
    return false;
  }
}

// --- for Kafka, which has a file of its own ---

void prepare_kafka() { prepare("kafka", k_source / "build/services/templates/kafka/data"); }
bool has_kafka() { return fs::exists(k_source / "build/services/templates/kafka/data"); }

}  // namespace holdfast::test

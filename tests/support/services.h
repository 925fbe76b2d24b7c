// Real PostgreSQL, Redis and Kafka servers for tests: private ones, on free ports, with folders under build/services/tests, that end
// with their object. They may be stopped, killed and paused, and started again on the same port with the same data.
//
//   PostgresServer postgres;                          // a cluster of its own: 0.5 s
//   PostgresDatabase database;                        // a new database in the shared cluster, for tests that kill nobody: 0.1 s
//   RedisServer redis;
//   KafkaServer kafka;                                // 5 s; is_real() says whether it is Apache Kafka
//   Server server({.flags = {"--ledger", database.url(), "--lock", redis.url()}});
//
// Declare a server before its users, so that it ends after them. A server belongs to the thread that made it: the kernel ends it
// with that thread. Constructors and start() return once the server answers, and throw std::runtime_error with its log if it does
// not.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/process.h"

namespace holdfast::test {

// The URL of a service that ./dev test or ./dev services has started, from HOLDFAST_TEST_NAME. Empty if there is none.
std::string shared_service(std::string_view name);

// Whether SIGSTOP has stopped all threads of a process. It does so a moment after the signal; on a busy machine, some go on meanwhile.
bool has_stopped(pid_t process);

// A free port of the loopback, below those that the system gives to clients, so that it stays free while its server is down.
std::uint16_t free_port();

// A folder under build/services/tests, on the checkout's disk, removed with its content.
class ServiceFolder {
 public:
  ServiceFolder();
  ~ServiceFolder();
  ServiceFolder(const ServiceFolder&) = delete;
  ServiceFolder& operator=(const ServiceFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// The common part of the three: a process in a folder, on a port.
class ServiceProcess {
 public:
  ServiceProcess(const ServiceProcess&) = delete;
  ServiceProcess& operator=(const ServiceProcess&) = delete;

  void start();                       // again, on the same port with the same data
  void kill();                        // SIGKILL
  void pause();                       // SIGSTOP, to all of its processes; returns when they stand still
  void resume();
  bool runs() { return process_.runs(); }
  std::uint16_t port() const { return port_; }
  std::string log() const { return read_file(folder_.path() / "log"); }

 protected:
  // `name` has a script scripts/services/NAME.sh; `ports`: how many it takes.
  ServiceProcess(std::string_view name, std::size_t ports);
  virtual ~ServiceProcess();

  virtual bool is_ready() = 0;
  void start_first();                 // another process may take the port in between: then with another port
  void end(int signal);               // and waits
  const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  void launch();
  bool wait_until_ready();
  void signal_all(int signal);        // the process and those that it has started

  ServiceFolder folder_;
  std::string name_;
  std::size_t port_count_;
  std::uint16_t port_ = 0;
  std::vector<std::uint16_t> ports_;
  Process process_;
};

// A private PostgreSQL cluster with a role and a database `holdfast`, set up as in production (fsync on). No password is needed.
class PostgresServer : public ServiceProcess {
 public:
  PostgresServer();
  ~PostgresServer() override;

  void stop();                        // in order: waits for no session, but writes a checkpoint (`-m fast`)
  void stop_immediately();            // as `pg_ctl stop -m immediate`: the next start recovers from the write-ahead log
  void restart_immediately();
  // Keeps a copy of the data as it is now. The server is stopped at once for it, and started again.
  void keep_copy();
  // Restarts it at once with the data of keep_copy(): a failover to a server that never had the commits since then.
  void go_back_to_copy();
  std::string url(std::string_view database = "holdfast", std::string_view role = "holdfast") const;
  std::string admin_url(std::string_view database = "holdfast") const { return url(database, "postgres"); }

 private:
  bool is_ready() override;
};

// A new, empty database, owned by the role that url() names. In the shared cluster, or in the given one; in a private one if none
// is shared (a test program that was started by hand). Dropped with the object.
class PostgresDatabase {
 public:
  PostgresDatabase();
  explicit PostgresDatabase(const PostgresServer& server);
  ~PostgresDatabase();
  PostgresDatabase(const PostgresDatabase&) = delete;
  PostgresDatabase& operator=(const PostgresDatabase&) = delete;

  const std::string& url() const { return url_; }

 private:
  void create(const std::string& base_url);

  std::unique_ptr<PostgresServer> own_;
  std::string base_url_;
  std::string name_;
  std::string url_;
};

class RedisServer : public ServiceProcess {
 public:
  RedisServer();
  ~RedisServer() override;

  void flush();                       // FLUSHALL: as a failover to a replica that knew nothing
  // One command on a connection of its own. Integers and statuses as text; nil is "(nil)"; throws on an error reply.
  std::string command(const std::vector<std::string>& arguments) const;
  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port()); }

 private:
  bool is_ready() override;
};

// Apache Kafka, one node. If its jars are not available: the mock cluster inside librdkafka, which fences nobody and shows
// aborted messages to readers of committed ones; tests of that ask is_real(). Prints once per program which of the two it is.
class KafkaServer {
 public:
  KafkaServer();
  ~KafkaServer();
  KafkaServer(const KafkaServer&) = delete;
  KafkaServer& operator=(const KafkaServer&) = delete;

  bool is_real() const;
  void start();
  void stop();                        // in order
  void kill();
  void pause();
  void resume();
  std::string bootstrap() const;      // HOST:PORT
  std::string url() const { return "kafka://" + bootstrap(); }
  std::string log() const;            // of the real one

 private:
  class Real;
  class Mock;
  std::unique_ptr<Real> real_;
  std::unique_ptr<Mock> mock_;
};

// Whether KafkaServer, and shared_kafka(), are Apache Kafka on this machine.
bool has_real_kafka();

// The shared Kafka if there is one, otherwise one that lives as long as the program; HOST:PORT.
std::string shared_kafka();

}  // namespace holdfast::test

// An HTTP server that receives webhooks or spans: it records requests, and answers as it is told. Plain sockets, so that no code
// of the tested program takes part. With a certificate it speaks TLS.
//
//   Receiver receiver;
//   receiver.answers([](const Received& message) { return Reply{.status = message.type() == "held" ? 500 : 204}; });
//   int n = 0;
//   const auto answering = receiver.answers_while_kept([&](const Received&) { return Reply{.status = ++n < 3 ? 500 : 204}; });
//   …
//   ASSERT_TRUE(eventually([&] { return receiver.received().size() == 3; }));
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"

namespace holdfast::test {

struct Received {
  std::string target;
  Headers headers;
  std::string body;
  std::chrono::steady_clock::time_point at;

  std::string header(std::string_view name) const;
  Json json() const { return parse_json(body); }
  std::string id() const { return header("webhook-id"); }
  // Empty if the body has none.
  std::string type() const {
    const Json message = json();
    const Json* type = message.as_object().if_contains("type");
    return type == nullptr ? std::string() : string_of(*type);
  }
  std::int64_t seq() const { return json().at("data").at("seq").to_number<std::int64_t>(); }
  std::string reservation() const { return string_of(json().at("data").at("reservationId")); }
};

struct Reply {
  int status = 204;
  Headers headers{};
  bool hangs = false;   // does not answer until the sender closes
  std::string body = "ok";   // of a status that has one
};

// A certificate authority of the test, and a certificate for `name` that it has signed.
struct Certificates {
  Certificates(const std::filesystem::path& folder, const std::string& name);
  std::filesystem::path authority;
  std::filesystem::path certificate;
  std::filesystem::path key;
};

class Receiver {
 public:
  explicit Receiver(const Certificates* certificates = nullptr);
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  std::uint16_t port() const { return port_; }
  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string url(std::string_view path = "/hook") const { return "http://" + host() + std::string(path); }

  // Decides about the next messages. Called by several threads, one at a time. A function without state: it may be called until the receiver
  // ends, which may be after the end of the test's body.
  void answers(Reply (*answer)(const Received&));

  // An answer with state of its own or the test's. It is not called after the guard has ended, and not running then; 204 follows. The guard
  // must end before what the answer refers to, and before the receiver.
  class Answering {
   public:
    ~Answering();
    Answering(const Answering&) = delete;
    Answering& operator=(const Answering&) = delete;

   private:
    friend class Receiver;
    Answering(Receiver& receiver, std::uint64_t number) : receiver_(receiver), number_(number) {}
    Receiver& receiver_;
    const std::uint64_t number_;
  };
  [[nodiscard]] Answering answers_while_kept(std::function<Reply(const Received&)> answer);

  std::vector<Received> received() const;   // without pings, in the order of their arrival
  std::vector<Received> of_type(std::string_view type) const;
  std::size_t connections() const { return connections_; }   // including those without a request

 private:
  std::uint64_t set_answer(std::function<Reply(const Received&)> answer);
  void accept_all();
  void serve(int socket);

  const Certificates* certificates_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::function<Reply(const Received&)> answer_;
  std::uint64_t answer_number_ = 0;   // of answer_, so that the end of a guard leaves a later answer alone
  std::vector<Received> received_;
  std::set<int> open_;
  bool stopping_ = false;
  std::atomic<std::size_t> connections_{0};
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

}   // namespace holdfast::test

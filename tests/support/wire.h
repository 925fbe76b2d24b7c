// A connection between a client and a TCP server on this machine that can be cut or muted at a chosen moment.
//
//   Wire wire(port_in(database.url()));
//   PostgresLedger ledger({.url = with_port(database.url(), wire.port())});
//   wire.cut_at("append", Wire::Cut::answer);     // the next time that a client says so, the server hears it and its answer is lost
//
// The text to look for must be in one write of the client. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace holdfast::test {

std::uint16_t port_in(std::string_view url);                            // of the only host
std::string with_port(std::string_view url, std::uint16_t port);

class Wire {
 public:
  enum class Cut {
    request,   // the server never gets it
    answer,    // the server gets it and answers; nobody gets the answer
  };

  explicit Wire(std::uint16_t server_port);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  std::uint16_t port() const { return port_; }

  // Once: ends the connection whose next bytes from the client contain this. `and_all`: all others too, and new ones, until
  // mend().
  void cut_at(std::string_view text, Cut cut, bool and_all = false);
  std::size_t cuts() const { return cuts_; }
  // Ends all connections, and new ones too, until mend().
  void cut_all();
  void mend();
  // Drops whatever the server sends over connections whose client began with this (libpq: its application's name). They stay
  // open, as over a network that has lost its route.
  void mute(std::string_view text);

 private:
  struct Pair {
    int client = -1;
    int server = -1;
    std::string begin;             // the client's first bytes
    bool is_muted = false;
    bool ends_with_answer = false;
    bool has_ended = false;
  };

  void run();
  void accept_one();
  void from_client(Pair& pair);
  void from_server(Pair& pair);
  void wake();
  static void close(Pair& pair);

  const std::uint16_t server_port_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  int wake_read_ = -1;
  int wake_write_ = -1;
  std::atomic<bool> ends_{false};
  std::atomic<std::size_t> cuts_{0};

  std::mutex mutex_;
  std::string cut_text_;
  Cut cut_ = Cut::request;
  bool cut_all_then_ = false;
  bool is_cut_ = false;
  std::list<Pair> pairs_;
  std::thread thread_;   // last: it uses the others
};

}  // namespace holdfast::test

// The way from a connection's coroutine to the engine and back, one for each thread of the HTTP server.
//
// Submissions of one turn of the thread's event loop go to the engine together, and the verdicts of one round come back together: two
// wake-ups for a whole round, not two for each request.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "engine/engine.h"

namespace holdfast::api {

class Gateway final : public Outbox {
 public:
  Gateway(Engine& engine, boost::asio::io_context& context) : engine_(engine), context_(context) {}
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  boost::asio::io_context& context() { return context_; }

  // The verdict on a submission; nothing when the engine's queue is full (then nothing has happened). On the context's thread. What the
  // commands point at must live until then.
  boost::asio::awaitable<std::optional<Verdict>> ask(Submission submission);

  void deliver(Task* first) override;

 private:
  struct Asking;
  class Delivered;
  void flush();
  static void resume(Task* first);

  Engine& engine_;
  boost::asio::io_context& context_;
  Task* first_ = nullptr;   // gathered in this turn of the event loop
  Task* last_ = nullptr;
};

}  // namespace holdfast::api

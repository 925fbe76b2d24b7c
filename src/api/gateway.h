// Takes submissions from connections' coroutines to the engine, and verdicts back. Each thread of the HTTP server has one.
//
//   const auto verdict = co_await gateway.ask(std::move(submission));
//   if (!verdict) …   // 503: the engine's queue is full
//
// The submissions of one turn of the event loop go to the engine together, and the verdicts of one round come back together. Each round wakes
// two threads, however many requests it has.
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

  // The verdict on a submission. Nothing if the engine's queue is full; then nothing has happened. On the context's thread. Whatever the
  // commands point to must live until the coroutine resumes.
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

}   // namespace holdfast::api

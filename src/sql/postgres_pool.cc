#include "sql/postgres_pool.h"

namespace holdfast::pg {

Pool::Pool(Settings settings, PoolOptions options) : settings_(std::move(settings)), options_(options) {}

Pool::Borrowed Pool::take() {
  {
    std::unique_lock lock(mutex_);
    const auto may_go_on = [&] { return !free_.empty() || open_ < options_.connections_max; };
    if (!freed_.wait_for(lock, options_.patience, may_go_on)) {
      throw Error("", "all " + std::to_string(options_.connections_max) + " connections to the database are busy");
    }
    if (!free_.empty()) {
      auto connection = std::move(free_.back());
      free_.pop_back();
      return {*this, std::move(connection)};
    }
    if (!trouble_.empty() && (trying_ || Timer::now() < next_attempt_)) throw Error("", trouble_);
    ++open_;
    trying_ = !trouble_.empty();
  }
  return {*this, connect()};
}

std::unique_ptr<Connection> Pool::connect() {
  try {
    auto connection = std::make_unique<Connection>(settings_);
    const std::scoped_lock lock(mutex_);
    trouble_.clear();
    trying_ = false;
    pause_ = std::chrono::milliseconds{0};
    ++stats_.connected;
    return connection;
  } catch (const std::exception& error) {
    const std::scoped_lock lock(mutex_);
    --open_;
    trying_ = false;
    trouble_ = error.what();
    ++stats_.failures;
    pause_ = std::min(options_.pause_max, std::max(options_.pause_first, pause_ * 2));
    const auto spread = std::uniform_int_distribution<std::int64_t>(pause_.count() / 2, pause_.count())(jitter_);
    next_attempt_ = Timer::now() + std::chrono::milliseconds(spread);
    freed_.notify_one();
    throw;
  }
}

void Pool::Borrowed::give_back() {
  if (connection_ != nullptr) pool_->put(std::move(connection_));
}

void Pool::put(std::unique_ptr<Connection> connection) {
  connection->reset();
  const std::scoped_lock lock(mutex_);
  if (connection->is_usable()) {
    free_.push_back(std::move(connection));
  } else {
    open_ -= 1 + free_.size();
    free_.clear();   // opened before the server went down, like this one
  }
  freed_.notify_one();
}

std::string Pool::trouble() const {
  const std::scoped_lock lock(mutex_);
  return trouble_;
}

PoolStats Pool::stats() const {
  const std::scoped_lock lock(mutex_);
  PoolStats stats = stats_;
  stats.open = open_;
  stats.busy = open_ - free_.size();
  return stats;
}

}  // namespace holdfast::pg

// A file descriptor that is kept for the moment when the process has none left: given up, the next connection can be accepted and told so.
#pragma once

#include <fcntl.h>
#include <unistd.h>

namespace holdfast::http {

class SpareDescriptor {
 public:
  SpareDescriptor() { take(); }
  ~SpareDescriptor() { give_up(); }
  SpareDescriptor(const SpareDescriptor&) = delete;
  SpareDescriptor& operator=(const SpareDescriptor&) = delete;

  // Does nothing when it is there, or cannot be had: then the next call tries again.
  void take() {
    if (descriptor_ < 0) descriptor_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  void give_up() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

 private:
  int descriptor_ = -1;
};

}  // namespace holdfast::http

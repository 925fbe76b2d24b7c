// A file of the simulated disk itself, by its descriptor, past the layer that simulates. It is in memory: its calls do not fail.
#pragma once

#include <cstdint>
#include <string_view>

#include "simulation/disk.h"

namespace holdfast::simulation {

class RealFile : public Disk::Real {
 public:
  explicit RealFile(int descriptor) : descriptor_(descriptor) {}
  int descriptor() const { return descriptor_; }

  void write(std::int64_t offset, std::string_view bytes) override;
  std::size_t read(std::int64_t offset, char* to, std::size_t bytes) override;
  std::int64_t size() override;
  void resize(std::int64_t bytes) override;

 private:
  int descriptor_;
};

}   // namespace holdfast::simulation

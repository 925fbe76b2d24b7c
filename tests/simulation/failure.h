// A promise is broken: the run ends here.
#pragma once

#include <stdexcept>
#include <string>

namespace holdfast::simulation {

class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline void expect(bool holds, const std::string& otherwise) {
  if (!holds) throw Failure(otherwise);
}

}   // namespace holdfast::simulation

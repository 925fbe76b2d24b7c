// Why there is no more of a request's body.
#pragma once

#include <boost/system/system_error.hpp>
#include <string>

namespace holdfast::http {

// What Request::read_body() throws. A handler lets it through: the server answers by itself.
class BodyUnreadable : public boost::system::system_error {
 public:
  BodyUnreadable(unsigned answer, boost::system::error_code code, const std::string& what) : system_error(code, what), answer_(answer) {}

  // The status that the request is answered: 400, 408 or 413; 0: none, the client is gone.
  unsigned answer() const { return answer_; }

 private:
  unsigned answer_;
};

}  // namespace holdfast::http

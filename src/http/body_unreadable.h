// Why the rest of a request's body cannot be read.
#pragma once

#include <boost/system/system_error.hpp>
#include <string>

namespace holdfast::http {

// Thrown by Request::read_body(). A handler should not catch it: the server answers the request.
class BodyUnreadable : public boost::system::system_error {
 public:
  BodyUnreadable(unsigned answer, boost::system::error_code code, const std::string& what) : system_error(code, what), answer_(answer) {}

  // The status of the answer: 400, 408 or 413; 0: no answer, because the client is gone.
  unsigned answer() const { return answer_; }

 private:
  unsigned answer_;
};

}  // namespace holdfast::http

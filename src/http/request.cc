// The parts of the contract in server.h that need no connection.
#include <string>

#include "core/ascii.h"
#include "core/json_text.h"
#include "http/answer.h"
#include "http/server.h"

namespace holdfast::http {

const std::string_view* Request::header(std::string_view name) const {
  for (const Header& h : headers) {
    if (equals_ignoring_case(h.name, name)) return &h.value;
  }
  return nullptr;
}

void Handler::refuse(const Problem& problem, std::string_view path, Response& response) {
  (void)path;
  response.content_type = "application/problem+json";
  response.body = R"({"type":"about:blank","title":)";
  append_json(response.body, reason_phrase(problem.status));
  response.body += R"(,"status":)";
  response.body += std::to_string(problem.status);
  response.body += R"(,"detail":)";
  append_json(response.body, problem.detail);
  response.body += R"(,"code":)";
  append_json(response.body, problem.code);
  response.body += "}\n";
}

}  // namespace holdfast::http

// GET /v1/server: what a page has to know of the server before it asks anything else (docs/api.md).
#include "api/endpoints.h"

namespace holdfast::api {

// `now` is the ledger's clock, by which holds end: a page that counts down by it is right whatever its own clock says.
Answer show_server(Call& call) {
  if (!call.request.query.empty()) co_return fail(call, {400, k_invalid_request, "This call takes no query parameters."});
  Json json = begin_uncached_json(call);
  json.object([&] {
    json.member("now", rfc3339(call.ledger().now()));
    json.member("demo", call.services.demo);
  });
}

}  // namespace holdfast::api

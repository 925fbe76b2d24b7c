// GET /v1/server: what a page must know about the server before its other calls (docs/api.md).
#include "api/endpoints.h"

namespace holdfast::api {

// `now` is the ledger's clock, by which holds end. A page that counts down by it is right even if the browser's clock is wrong.
Answer show_server(Call& call) {
  if (!call.request.query.empty()) co_return fail(call, {400, k_invalid_request, "This call takes no query parameters."});
  Json json = begin_uncached_json(call);
  json.object([&] {
    json.member("now", rfc3339(call.ledger().now()));
    json.member("demo", call.services.demo);
  });
}

}  // namespace holdfast::api

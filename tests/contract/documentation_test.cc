// What the program says about itself: /openapi.json, /docs, /llms.txt.
#include <gmock/gmock.h>

#include <filesystem>
#include <regex>
#include <set>

#include "api/desk/metrics.h"
#include "api/endpoints.h"
#include "api/router.h"
#include "support/events.h"
#include "support/problems.h"
#include "support/server.h"

namespace holdfast::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Documentation : public OneServer {
 protected:
  // The values of `attribute` (src or href) in the page at /docs, without data: URLs.
  std::vector<std::string> links_of_page(const std::string& attribute) {
    const std::string page = client.get("/docs").body;
    const std::regex link(attribute + "=\"([^\"]*)\"");
    std::vector<std::string> links;
    for (std::sregex_iterator it(page.begin(), page.end(), link), end; it != end; ++it) {
      if (!(*it)[1].str().starts_with("data:")) links.push_back((*it)[1]);
    }
    return links;
  }
};

TEST_F(Documentation, TheDocumentIsOpenApi31AndNamesTheVersionThatRuns) {
  const Answer answer = client.get("/openapi.json");
  ASSERT_EQ(answer.status, 200) << answer;
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  const Json document = answer.json();
  EXPECT_EQ(string_of(document.at("openapi")), "3.1.0");
  EXPECT_EQ(document.at("info").at("version"), client.get("/version").json().at("version"));
}

TEST_F(Documentation, EveryRouteOfTheProgramIsInTheDocument) {
  const Json document = client.get("/openapi.json").json();
  api::Metrics metrics;
  const api::Router router(metrics, false);
  const std::regex parameter("\\{[^}]*\\}");
  std::set<std::pair<std::string, std::string>> described;
  for (const auto& [path, item] : document.at("paths").as_object()) {
    for (const auto& [method, operation] : item.as_object()) {
      described.emplace(method, std::regex_replace(std::string(path), parameter, "{}"));
    }
  }
  for (const api::Route& route : router.routes()) {
    if (route.handle == api::get_embedded && route.path != "/openapi.json") continue;   // pages and their files are not operations
    std::string method(route.method);
    std::ranges::transform(method, method.begin(), [](char c) { return static_cast<char>(c + ('a' - 'A')); });
    EXPECT_TRUE(described.contains({method, std::string(route.path)})) << method << " " << route.path << " is not in the document";
  }
  EXPECT_GT(router.routes().size(), 20U);
}

TEST_F(Documentation, IsCompressedForClientsThatAcceptItAndTheSameForAll) {
  const Answer plain = client.get("/openapi.json");
  const Answer compressed = client.get("/openapi.json", {{"Accept-Encoding", "br, gzip"}});
  EXPECT_FALSE(plain.has("Content-Encoding")) << plain;
  EXPECT_EQ(compressed.header("Content-Encoding"), "gzip");
  EXPECT_THAT(compressed.body, StartsWith("\x1F\x8B"));
  EXPECT_LT(compressed.body.size() * 4, plain.body.size());
  EXPECT_NE(compressed.header("ETag"), plain.header("ETag"));
  for (const Answer& answer : {plain, compressed}) EXPECT_EQ(answer.header("Vary"), "Accept-Encoding");
  for (const char* refused : {"identity", "br", "gzip;q=0", "gzip; q=0.0"}) {
    EXPECT_FALSE(client.get("/openapi.json", {{"Accept-Encoding", refused}}).has("Content-Encoding")) << refused;
  }
}

TEST_F(Documentation, IsNotSentAgainIfTheClientHasIt) {
  const std::string etag = client.get("/openapi.json").header("ETag");
  for (const std::string& known : {etag, "\"other\", " + etag, "W/" + etag, std::string("*")}) {
    const Answer answer = client.get("/openapi.json", {{"If-None-Match", known}, {"Accept-Encoding", "gzip"}});
    EXPECT_EQ(answer.status, 304) << known;
    EXPECT_TRUE(answer.body.empty());
  }
  EXPECT_EQ(client.get("/openapi.json", {{"If-None-Match", "\"other\""}}).status, 200);
}

TEST_F(Documentation, ThePageLoadsNothingFromElsewhereAndHasNoInlineScript) {
  const Answer page = client.get("/docs");
  ASSERT_EQ(page.status, 200) << page;
  EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
  const std::string policy = page.header("Content-Security-Policy");
  EXPECT_THAT(policy, AllOf(HasSubstr("default-src 'none'"), HasSubstr("script-src 'self';"), Not(HasSubstr("unsafe"))));
  EXPECT_THAT(page.body, Not(HasSubstr("://")));
  EXPECT_FALSE(std::regex_search(page.body, std::regex("<script(?![^>]* src=)"))) << page.body;
  expect_v1_problem(client.post("/docs", "{}"), 405, "method_not_allowed");
}

TEST_F(Documentation, ThePagesFilesAreCachedForEverUnderTheirHash) {
  const auto scripts = links_of_page("src");
  if (scripts.empty()) GTEST_SKIP() << "this program was built without the page: npm did not answer";
  auto files = links_of_page("href");
  files.insert(files.end(), scripts.begin(), scripts.end());
  for (const std::string& file : files) {
    if (file == "openapi.json") continue;
    const Answer answer = client.get("/" + file, {{"Accept-Encoding", "gzip"}});
    EXPECT_EQ(answer.status, 200) << file;
    EXPECT_THAT(answer.header("Cache-Control"), HasSubstr("immutable")) << file;
    EXPECT_TRUE(std::regex_search(file, std::regex("\\.[0-9a-f]{16}\\.(js|css)$"))) << file;
  }
}

TEST_F(Documentation, TheIndexForProgramsNamesExistingPages) {
  const Answer index = client.get("/llms.txt");
  ASSERT_EQ(index.status, 200) << index;
  EXPECT_EQ(index.header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_THAT(index.body, StartsWith("# Holdfast\n"));
  const std::regex link("\\]\\((/[^)]*)\\)");
  std::size_t links = 0;
  for (std::sregex_iterator it(index.body.begin(), index.body.end(), link), end; it != end; ++it, ++links) {
    EXPECT_EQ(client.get((*it)[1].str()).status, 200) << (*it)[1];
  }
  EXPECT_GE(links, 5U);
  expect_v1_problem(client.get("/docs/no-such.md"), 404, "not_found");
  expect_v1_problem(client.get("/docs/internals/no-such.md"), 404, "not_found");
}

TEST_F(Documentation, LinksBetweenPagesLeadToServedPages) {
  std::set<std::string> seen = {"/docs/architecture.md"};
  std::vector<std::string> open(seen.begin(), seen.end());
  const std::regex link("\\]\\(([a-z0-9./_-]+\\.md)[)#]");
  while (!open.empty()) {
    const std::filesystem::path page = open.back();
    open.pop_back();
    const Answer answer = client.get(page.string());
    ASSERT_EQ(answer.status, 200) << page;
    EXPECT_EQ(answer.header("Content-Type"), "text/markdown; charset=utf-8") << page;
    for (std::sregex_iterator it(answer.body.begin(), answer.body.end(), link), end; it != end; ++it) {
      const std::string next = (page.parent_path() / (*it)[1].str()).lexically_normal();
      // Pages about the source are beside it.
      if (next.starts_with("/docs/") && seen.insert(next).second) open.push_back(next);
    }
  }
  EXPECT_TRUE(seen.contains("/docs/internals/limits.md"));
}

}  // namespace
}  // namespace holdfast::test

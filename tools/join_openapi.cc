// Joins the YAML files of src/api/openapi/ into the one JSON document that the program serves as /openapi.json.
//
//   join_openapi VERSION OUT.json FILE.yaml…
//
// Mappings are merged, in the order of the files; a member that two files give is an error. `<<` takes in another mapping (or several)
// where it stands; members beside it win. The top-level `x-anchors` is left out. A build without Node.js has the document too: that is
// why this is not a script. Status 1 and a message when something is wrong; then nothing is written.
#include <yaml-cpp/yaml.h>
#include <boost/json/src.hpp>

#include <charconv>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

namespace json = boost::json;

json::value convert(const YAML::Node& node);

std::string place_of(const YAML::Node& node) { return "line " + std::to_string(node.Mark().line + 1) + ": "; }

// YAML's core schema: what is not quoted is null, a flag or a number when it looks like one.
json::value convert_scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return json::string(text);   // quoted, or a block
  if (text.empty() || text == "null" || text == "~") return nullptr;
  if (text == "true" || text == "false") return text == "true";
  const char* const end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto [at, error] = std::from_chars(text.data(), end, whole); error == std::errc{} && at == end) return whole;
  double number = 0;
  if (const auto [at, error] = std::from_chars(text.data(), end, number); error == std::errc{} && at == end) return number;
  return json::string(text);
}

json::object convert_mapping(const YAML::Node& node) {
  json::object object;
  for (const auto& member : node) {
    const std::string key = member.first.Scalar();
    if (key != "<<") {
      if (node[key].Mark().pos != member.second.Mark().pos)
        throw std::runtime_error(place_of(member.first) + "`" + key + "` stands there twice");
      object.insert_or_assign(key, convert(member.second));
      continue;
    }
    if (!member.second.IsMap()) throw std::runtime_error(place_of(member.first) + "`<<` takes a mapping");
    const json::object taken_in = convert_mapping(member.second);
    for (const auto& each : taken_in) object.insert(each);   // a member that is there already wins
  }
  return object;
}

json::value convert(const YAML::Node& node) {
  if (node.IsMap()) return convert_mapping(node);
  if (!node.IsSequence()) return node.IsScalar() ? convert_scalar(node) : json::value(nullptr);
  json::array array;
  for (const auto& item : node) array.push_back(convert(item));
  return array;
}

void merge(json::object& into, const json::object& more, const std::string& where) {
  for (const auto& [key, value] : more) {
    const std::string path = where + "/" + std::string(key);
    json::value* const known = into.if_contains(key);
    if (known == nullptr) {
      into.emplace(key, value);
    } else if (known->is_object() && value.is_object()) {
      merge(known->get_object(), value.get_object(), path);
    } else {
      throw std::runtime_error(path + " stands in two files");
    }
  }
}

// The joined text, ended by a newline.
std::string join(std::string_view version, int count, const char* const* files) {
  json::object document;
  for (int i = 0; i < count; ++i) {
    try {
      json::object part = convert_mapping(YAML::LoadFile(files[i]));
      part.erase("x-anchors");
      merge(document, part, "");
    } catch (const std::exception& error) {
      throw std::runtime_error(std::string(files[i]) + ": " + error.what());
    }
  }
  json::value* const info = document.if_contains("info");
  if (info == nullptr || !info->is_object()) throw std::runtime_error("no file has `info`");
  info->get_object()["version"] = version;
  return json::serialize(document) + "\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: join_openapi VERSION OUT.json FILE.yaml...\n";
    return 2;
  }
  try {
    const std::string text = join(argv[1], argc - 3, argv + 3);
    std::ofstream out(argv[2], std::ios::binary | std::ios::trunc);
    if (!(out << text).flush()) throw std::runtime_error(std::string("cannot write ") + argv[2]);
  } catch (const std::exception& error) {
    std::cerr << "join_openapi: " << error.what() << "\n";
    return 1;
  }
  return 0;
}

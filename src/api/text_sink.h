// Collects a text, plain or compressed by gzip. It compresses part by part, so that memory never holds a large text both plain and compressed.
//
//   TextSink sink(compressed);
//   for (…) { sink.part() += …; sink.part_done(); }
//   return sink.finish();
//
// One thread.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <string>

namespace holdfast::api {

class TextSink {
 public:
  explicit TextSink(bool compressed);
  ~TextSink();
  TextSink(const TextSink&) = delete;
  TextSink& operator=(const TextSink&) = delete;

  std::string& part() { return part_; }   // append the next part of the text here
  void part_done();   // compresses what part() has, if it is large enough
  std::string finish();   // the whole text; call it once

 private:
  void compress(int flush);

  bool compressed_;
  z_stream stream_{};
  std::string part_;
  std::string all_;
};

}   // namespace holdfast::api

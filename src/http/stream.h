// Streamed answers: a body that goes on after the handler has returned, as for server-sent events.
//
// A handler sets Response::stream. The server writes the head, calls opened() and from then on takes chunks:
//
//   class Ticker : public StreamSource {
//     void opened(StreamWriter& writer) override { writer_ = &writer; writer.write(chunk_of("hello\n")); }
//     void writable() override {}
//     void closed(StreamEnd) override { writer_ = nullptr; }
//     …
//   };
//   response.stream = std::make_shared<Ticker>();
//
// It is made for one body part and thousands of readers: a chunk is framed once and shared, and a connection copies and formats nothing.
// A connection keeps at most one chunk that the socket has not taken yet. While it does, it takes no other: what a slow reader has missed is
// for the source to merge, and a reader that takes nothing for ServerOptions::write_timeout is dropped. An open stream costs its
// connection no buffer.
//
// The connection closes after a streamed answer. What the client sends during one is thrown away, a limited amount of it. A client that has
// closed its side of the connection counts as gone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace holdfast::http {

// A body part in chunked coding, whole: size, CRLF, the part, CRLF. Shared by all who get it. HTTP/1.0 clients get the part alone.
using Chunk = std::shared_ptr<const std::string>;
Chunk chunk_of(std::string_view part);   // not empty: that would end the body

enum class StreamEnd : std::uint8_t {
  ended,   // by end(), or because the server stops
  client_left,
  too_slow,   // nothing was taken for write_timeout
};

// The connection's side. On the connection's thread only, from opened() to closed().
class StreamWriter {
 public:
  // Takes the chunk and writes what the socket takes at once. False, and nothing is taken, while there is a rest of an earlier one; then the
  // source is told by writable(). Never calls the source.
  virtual bool write(Chunk chunk) = 0;
  // Ends the body after what has been taken.
  virtual void end() = 0;

 protected:
  ~StreamWriter() = default;
};

// The application's side. Called on the connection's thread. Must not throw.
class StreamSource {
 public:
  virtual ~StreamSource() = default;
  // The head has been written. Not called for HEAD, or when the client is gone before: then the source is only destroyed.
  virtual void opened(StreamWriter& writer) = 0;
  // A chunk that had to wait has been written.
  virtual void writable() = 0;
  // The writer must not be used any more. Called once after opened(); while a Server is destroyed, from that thread.
  virtual void closed(StreamEnd end) = 0;
};

}   // namespace holdfast::http

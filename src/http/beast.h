// The parts of Beast that our clients use. Its headers instantiate std::aligned_storage, which C++23 deprecates and libstdc++ 14 (Debian 13)
// marks as such. clang warns although they are system headers.
#pragma once

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#pragma clang diagnostic pop

// Compiles Boost.JSON once. In a library of its own, so that a program has one copy, however many of our libraries it links.
#include <boost/json/src.hpp>

// Compiles Boost.JSON once. In a file of its own, so that a program that links two libraries with one copy each gets one.
#include <boost/json/src.hpp>

// Boost.JSON, compiled once: in a file of its own, so that a program that links two libraries with one gets one.
#include <boost/json/src.hpp>

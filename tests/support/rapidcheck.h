// rapidcheck, whose headers instantiate what C++23 deprecates (http/beast.h).
#pragma once

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
#include <rapidcheck.h>
#pragma clang diagnostic pop

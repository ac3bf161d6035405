// SPDX-License-Identifier: Apache-2.0
#pragma once
// What became of a sign-in, in words for the person who sees it: what happened, whether anything
// was stored, what to do next. Pure.
#include <string_view>

#include "base/error.h"

namespace brickgate {

struct PageWords {
    std::string_view title;
    std::string_view text;
};
PageWords words_of(ErrorCode code);

}  // namespace brickgate

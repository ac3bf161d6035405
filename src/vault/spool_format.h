// SPDX-License-Identifier: Apache-2.0
#pragma once
// The bytes of a spool segment: frames of "u32 length, u64 sequence, u32 crc32c, payload", zeros
// after the last one. A payload is an answer (identity, time, sealed record) or the note that one
// was committed. Pure; reading never fails, it stops where sense stops.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/record.h"
#include "vault/spool.h"

namespace brickgate::spool {

constexpr std::size_t frame_head_bytes = 16;
// The largest answer (64 KiB body, headers, context) with everything around it.
constexpr std::size_t frame_bytes_max = 128 * 1024;

struct AnswerFrame {
    SpoolIdentity identity;
    Time received_at{};
    std::string record;  // sealed
};
struct NoteFrame {
    std::uint64_t committed = 0;  // sequence of the answer
};
struct Frame {
    std::uint64_t seq = 0;
    std::optional<AnswerFrame> answer;
    std::optional<NoteFrame> note;
};

std::string write_frame(std::uint64_t seq, AnswerFrame const& answer);
std::string write_frame(std::uint64_t seq, NoteFrame const& note);
// All whole frames. A frame of sane size whose sum does not fit is stepped over and counted as
// damaged when a whole one follows it; else it is the torn end of what a crash cut off.
struct Segment {
    std::vector<Frame> frames;
    std::size_t damaged = 0;
    bool torn = false;
    std::size_t used = 0;  // bytes up to the end of the last whole frame
};
Segment read_segment(std::string_view bytes);

AssociatedData place_of(std::string const& node, SpoolIdentity const& identity, Time received_at);
AnswerFrame seal_answer(SpoolKeys::SpoolKey const& key, std::string const& node,
                        SpoolIdentity const& identity, Time received_at, Secret const& answer,
                        std::string_view nonce);
Result<Secret> open_answer(SpoolKeys const& keys, std::string const& node,
                           AnswerFrame const& answer);

}  // namespace brickgate::spool
